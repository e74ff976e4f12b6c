//! Streams: the rows of the family.
//!
//! ```text
//! ids        ids as words and replies
//! add        XADD
//! trim       XTRIM, and the options that it shares with XADD
//! range      XRANGE and XREVRANGE, and how entries are shown
//! read       XREAD, and the options that it shares with XREADGROUP
//! remove     XDEL and XDELEX
//! info       XINFO
//! settings   what is set of a stream: XSETID, XCFGSET, XIDMPRECORD
//! ```
//!
//! Consumer groups:
//!
//! ```text
//! group_rows   the rows
//! groups       XGROUP
//! group_info   XINFO GROUPS and CONSUMERS, and groups in XINFO STREAM FULL
//! lag          how far a group is in its stream
//! deliver      XREADGROUP
//! acknowledge  XACK, XACKDEL, XNACK
//! pending      XPENDING
//! claim        XCLAIM, XAUTOCLAIM
//! named_ids    the words behind IDS
//! ```

mod acknowledge;
mod add;
mod claim;
mod deliver;
mod group_info;
pub mod group_rows;
mod groups;
pub(crate) mod ids;
mod info;
mod lag;
mod named_ids;
mod pending;
mod range;
mod read;
mod remove;
mod settings;
mod trim;

use values::stream::References;
use values::typed::Streams;

use crate::spec::arguments::{Argument, block, integer, key, oneof, string, token};
use crate::spec::{Access, Flags, Group, KeySpec, tips};
use crate::{Command, Context, Handler, Outcome};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const CHANGE: Flags = Flags::WRITE;
const CHANGE_FAST: Flags = CHANGE.union(Flags::FAST);
const WRITE_FAST: Flags = CHANGE_FAST.union(Flags::DENYOOM);

const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];
const UPDATE_ONE: &[KeySpec] = &[KeySpec::one(Access::UPDATE)];
const REMOVE_IN_ONE: &[KeySpec] = &[KeySpec::one(Access::REMOVE_IF)];

const REFERENCES: Argument =
    oneof("condition").opt().of(&[token("KEEPREF"), token("DELREF"), token("ACKED")]);
const STRATEGY: Argument = oneof("strategy").of(&[token("MAXLEN"), token("MINID").since("6.2.0")]);
const OPERATOR: Argument =
    oneof("operator").opt().of(&[token("=").named("equal"), token("~").named("approximately")]);
const LIMIT: Argument = integer("count").after("LIMIT").opt().since("6.2.0");
const COUNT: Argument = integer("count").after("COUNT").opt();

const OF_RANGE: &str = "O(N) with N the number of entries shown";
const OF_REMOVED: &str = "O(1) for each entry";

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("xadd", -5, add::xadd)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::UPDATE).notes("It may also trim the stream")])
        .docs(Group::Stream, "5.0.0", "Adds an entry to a stream, which is made if need be.")
        .complexity("O(1) to add, O(N) to trim with N the number of entries that go")
        .history(&[
            ("6.2.0", "`NOMKSTREAM`, `MINID` and `LIMIT`."),
            ("7.0.0", "Ids whose number is left to the server."),
            ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`."),
            ("8.6.0", "`IDMP` and `IDMPAUTO`."),
        ])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[
            key("key"),
            token("NOMKSTREAM").opt().since("6.2.0"),
            REFERENCES.since("8.2.0"),
            oneof("idmp").opt().since("8.6.0").of(&[
                block("idmpauto-with-pid").of(&[
                    token("IDMPAUTO").named("idmpauto-token"),
                    string("pid").shown("producer-id"),
                ]),
                block("idmp-with-pid-iid").of(&[
                    token("IDMP").named("idmp-token"),
                    string("pid").shown("producer-id"),
                    string("iid").shown("idempotent-id"),
                ]),
            ]),
            block("trim").opt().of(&[STRATEGY, OPERATOR, string("threshold"), LIMIT]),
            oneof("id-selector").of(&[token("*").named("auto-id"), string("id")]),
            block("data").many().of(&[string("field"), string("value")]),
        ]),
    Command::<Handler>::new("xcfgset", -2, settings::xcfgset)
        .flags(CHANGE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Stream, "8.6.0", "Sets how much a stream remembers of its producers.")
        .complexity("O(1)")
        .args(&[
            key("key"),
            block("idmp-duration-block")
                .opt()
                .of(&[token("IDMP-DURATION").named("idmp-duration-token"), integer("duration")]),
            block("idmp-maxsize-block")
                .opt()
                .of(&[token("IDMP-MAXSIZE").named("idmp-maxsize-token"), integer("maxsize")]),
        ]),
    Command::<Handler>::new("xdel", -3, remove::xdel)
        .flags(CHANGE_FAST)
        .keys(REMOVE_IN_ONE)
        .docs(Group::Stream, "5.0.0", "Deletes entries, and counts those that were there.")
        .complexity(OF_REMOVED)
        .args(&[key("key"), string("ID").shown("id").many()]),
    Command::<Handler>::new("xdelex", -5, remove::xdelex)
        .flags(CHANGE_FAST)
        .keys(REMOVE_IN_ONE)
        .docs(Group::Stream, "8.2.0", "Deletes entries, and minds groups that have them pending.")
        .complexity(OF_REMOVED)
        .args(&[
            key("key"),
            REFERENCES,
            block("ids").after("IDS").of(&[integer("numids"), string("id").many()]),
        ]),
    Command::<Handler>::new("xidmprecord", 5, settings::xidmprecord)
        .flags(WRITE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Stream, "8.6.2", "Remembers which entry a producer's message has become.")
        .complexity("O(1)")
        .args(&[key("key"), string("pid"), string("iid"), string("stream-id")]),
    Command::<Handler>::new("xinfo", -2, info::help)
        .docs(Group::Stream, "5.0.0", "Commands that look into streams.")
        .complexity("that of the subcommand")
        .subcommands(info::SUBCOMMANDS),
    Command::<Handler>::new("xlen", 2, xlen)
        .flags(READ_FAST)
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::Stream, "5.0.0", "Counts the entries of a stream.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("xrange", -4, range::xrange)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Stream, "5.0.0", "Shows the entries with ids from one to another.")
        .complexity(OF_RANGE)
        .history(&[("6.2.0", "Bounds that do not belong to the range.")])
        .args(&[key("key"), string("start"), string("end"), COUNT]),
    Command::<Handler>::new("xread", -4, read::xread)
        .flags(READ)
        .keys(&[KeySpec::streams(1, Access::READ)])
        .docs(Group::Stream, "5.0.0", "Shows the entries of streams that come after an id.")
        .history(&[("8.10.0", "`MAXCOUNT` and `MAXSIZE`.")])
        .args(&[
            COUNT,
            integer("maxcount").after("MAXCOUNT").opt().since("8.10.0"),
            integer("maxsize").after("MAXSIZE").opt().since("8.10.0"),
            block("streams")
                .after("STREAMS")
                .of(&[key("key").many(), string("ID").shown("id").many()]),
        ]),
    Command::<Handler>::new("xrevrange", -4, range::xrevrange)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Stream, "5.0.0", "Shows the entries with ids from one down to another.")
        .complexity(OF_RANGE)
        .history(&[("6.2.0", "Bounds that do not belong to the range.")])
        .args(&[key("key"), string("end"), string("start"), COUNT]),
    Command::<Handler>::new("xsetid", -3, settings::xsetid)
        .flags(WRITE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Stream, "5.0.0", "Sets the id after which the next entry of a stream comes.")
        .complexity("O(1)")
        .history(&[("7.0.0", "`ENTRIESADDED` and `MAXDELETEDID`.")])
        .args(&[
            key("key"),
            string("last-id"),
            integer("entries-added").after("ENTRIESADDED").opt().since("7.0.0"),
            string("max-deleted-id").after("MAXDELETEDID").opt().since("7.0.0"),
        ]),
    Command::<Handler>::new("xtrim", -4, trim::xtrim)
        .flags(CHANGE)
        .keys(REMOVE_IN_ONE)
        .docs(Group::Stream, "5.0.0", "Deletes entries at the front of a stream.")
        .complexity("O(N), with N the number of entries that go")
        .history(&[
            ("6.2.0", "`MINID` and `LIMIT`."),
            ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`."),
        ])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[
            key("key"),
            block("trim").of(&[
                STRATEGY,
                OPERATOR,
                string("threshold"),
                LIMIT,
                REFERENCES.since("8.2.0"),
            ]),
        ]),
];

/// What an option says of pending entries.
fn references_of(word: &[u8]) -> Option<References> {
    let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
    if is("keepref") {
        Some(References::Keep)
    } else if is("delref") {
        Some(References::Delete)
    } else if is("acked") {
        Some(References::Acknowledged)
    } else {
        None
    }
}

fn xlen(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.key(0);
    let (stream, reply) = ctx.read::<Streams>(&key)?;
    reply.count(stream.map_or(0, |stream| stream.len()));
    Ok(())
}
