//! The rows of consumer groups.

use super::{acknowledge, claim, deliver, group_info, groups, pending};
use crate::spec::arguments::{Argument, block, integer, key, oneof, string, token, unix_time};
use crate::spec::{Access, Flags, Group, KeySpec, tips};
use crate::{Command, Handler};

const TAKE: Flags = Flags::WRITE;
const TAKE_FAST: Flags = TAKE.union(Flags::FAST);
const WRITE: Flags = TAKE.union(Flags::DENYOOM);

const UPDATE_ONE: &[KeySpec] = &[KeySpec::one(Access::UPDATE)];
const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];
/// The keys of subcommands stand one word later.
const EXTEND: &[KeySpec] = &[KeySpec::at(2, Access::EXTEND)];
const REMOVE: &[KeySpec] = &[KeySpec::at(2, Access::REMOVE_IF)];
const UPDATE: &[KeySpec] = &[KeySpec::at(2, Access::UPDATE)];
const READ: &[KeySpec] = &[KeySpec::at(2, Access::READ)];

const OF_EACH: &str = "O(1) for each id";
const GROUP: Argument = string("group");
const CONSUMER: Argument = string("consumer");
const MIN_IDLE: Argument = string("min-idle-time");
const IDS: Argument = string("id").many();
const JUST_ID: Argument = token("JUSTID").opt();
const NAMED_IDS: Argument = block("ids").after("IDS").of(&[integer("numids"), string("id").many()]);
const FROM: Argument = oneof("id-selector").of(&[string("id"), token("$").named("new-id")]);
const ENTRIES_READ: Argument =
    integer("entriesread").shown("entries-read").after("ENTRIESREAD").opt();
const READ_SINCE: &[(&str, &str)] = &[("7.0.0", "`ENTRIESREAD`.")];
const KEY_AND_GROUP: &[Argument] = &[key("key"), GROUP];
const KEY_AND_CONSUMER: &[Argument] = &[key("key"), GROUP, CONSUMER];

/// The rows of this part of the family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("xack", -4, acknowledge::xack)
        .flags(TAKE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Stream, "5.0.0", "Acknowledges entries that were delivered.")
        .complexity(OF_EACH)
        .args(&[key("key"), GROUP, IDS]),
    Command::<Handler>::new("xackdel", -6, acknowledge::xackdel)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::UPDATE_AND_REMOVE)])
        .docs(Group::Stream, "8.2.0", "Acknowledges entries and deletes them.")
        .complexity(OF_EACH)
        .args(&[
            key("key"),
            GROUP,
            oneof("condition").opt().of(&[token("KEEPREF"), token("DELREF"), token("ACKED")]),
            NAMED_IDS,
        ]),
    Command::<Handler>::new("xautoclaim", -6, claim::xautoclaim)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::REMOVE_IF)])
        .docs(
            Group::Stream,
            "6.2.0",
            "Takes entries over that others were given and have not acknowledged for too long.",
        )
        .complexity("O(1) if COUNT is small")
        .history(&[("7.0.0", "Shows which entries are in the stream no more.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[
            key("key"),
            GROUP,
            CONSUMER,
            MIN_IDLE,
            string("start"),
            integer("count").after("COUNT").opt(),
            JUST_ID,
        ]),
    Command::<Handler>::new("xclaim", -6, claim::xclaim)
        .flags(TAKE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Stream, "5.0.0", "Takes entries over that others were given.")
        .complexity("O(log N) with N the number of pending entries of the group")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[
            key("key"),
            GROUP,
            CONSUMER,
            MIN_IDLE,
            IDS,
            integer("ms").after("IDLE").opt(),
            unix_time("unix-time-milliseconds").after("TIME").opt(),
            integer("count").after("RETRYCOUNT").opt(),
            token("FORCE").opt(),
            JUST_ID,
            string("lastid").after("LASTID").opt(),
        ]),
    CONTAINER,
    Command::<Handler>::new("xnack", -7, acknowledge::xnack)
        .flags(TAKE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Stream, "8.8.0", "Gives entries back, so that another consumer may get them.")
        .complexity(OF_EACH)
        .args(&[
            key("key"),
            GROUP,
            oneof("mode").of(&[token("SILENT"), token("FAIL"), token("FATAL")]),
            NAMED_IDS,
            integer("count").after("RETRYCOUNT").opt(),
            token("FORCE").opt(),
        ]),
    Command::<Handler>::new("xpending", -3, pending::xpending)
        .flags(Flags::READONLY)
        .keys(READ_ONE)
        .docs(
            Group::Stream,
            "5.0.0",
            "Shows entries that were delivered and are not acknowledged, or how many there are.",
        )
        .complexity("O(N) with N the number of entries shown, or looked at with IDLE")
        .history(&[("6.2.0", "`IDLE`, and bounds that do not belong to the range.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[
            key("key"),
            GROUP,
            block("filters").opt().of(&[
                integer("min-idle-time").after("IDLE").opt().since("6.2.0"),
                string("start"),
                string("end"),
                integer("count"),
                CONSUMER.opt(),
            ]),
        ]),
    Command::<Handler>::new("xreadgroup", -7, deliver::xreadgroup)
        .flags(TAKE)
        .keys(&[KeySpec::streams(4, Access::READ)])
        .docs(Group::Stream, "5.0.0", "Delivers entries of streams to a consumer of a group.")
        .complexity("For each stream O(M) with M the number of entries shown")
        .history(&[("8.4.0", "`CLAIM`."), ("8.10.0", "`MAXCOUNT` and `MAXSIZE`.")])
        .args(&[
            block("group-block").after("GROUP").of(&[GROUP, CONSUMER]),
            integer("count").after("COUNT").opt(),
            integer("maxcount").after("MAXCOUNT").opt().since("8.10.0"),
            integer("maxsize").after("MAXSIZE").opt().since("8.10.0"),
            integer("min-idle-time").after("CLAIM").opt().since("8.4.0"),
            token("NOACK").opt(),
            block("streams").after("STREAMS").of(&[key("key").many(), IDS]),
        ]),
];

/// XGROUP itself.
pub const CONTAINER: Command<Handler> = Command::<Handler>::new("xgroup", -2, groups::help)
    .docs(Group::Stream, "5.0.0", "Commands about consumer groups.")
    .complexity("that of the subcommand")
    .subcommands(SUBCOMMANDS);

/// The subcommands of XGROUP.
pub static SUBCOMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("create", -5, groups::create)
        .flags(WRITE)
        .keys(EXTEND)
        .docs(Group::Stream, "5.0.0", "Makes a consumer group.")
        .complexity("O(1)")
        .history(READ_SINCE)
        .args(&[key("key"), GROUP, FROM, token("MKSTREAM").opt(), ENTRIES_READ]),
    Command::<Handler>::new("createconsumer", 5, groups::create_consumer)
        .flags(WRITE)
        .keys(EXTEND)
        .docs(Group::Stream, "6.2.0", "Makes a consumer of a group.")
        .complexity("O(1)")
        .args(KEY_AND_CONSUMER),
    Command::<Handler>::new("delconsumer", 5, groups::remove_consumer)
        .flags(TAKE)
        .keys(REMOVE)
        .docs(Group::Stream, "5.0.0", "Removes a consumer of a group, with what it has pending.")
        .complexity("O(1)")
        .args(KEY_AND_CONSUMER),
    Command::<Handler>::new("destroy", 4, groups::destroy)
        .flags(TAKE)
        .keys(REMOVE)
        .docs(Group::Stream, "5.0.0", "Removes a consumer group.")
        .complexity("O(N) with N the number of pending entries of the group")
        .args(KEY_AND_GROUP),
    Command::<Handler>::new("help", 2, groups::help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Stream, "5.0.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<Handler>::new("setid", -5, groups::set_id)
        .flags(TAKE)
        .keys(UPDATE)
        .docs(Group::Stream, "5.0.0", "Sets the id of the last entry that a group was given.")
        .complexity("O(1)")
        .history(READ_SINCE)
        .args(&[key("key"), GROUP, FROM, ENTRIES_READ]),
];

/// XINFO CONSUMERS.
pub const XINFO_CONSUMERS: Command<Handler> =
    Command::<Handler>::new("consumers", 4, group_info::xinfo_consumers)
        .flags(Flags::READONLY)
        .keys(READ)
        .docs(Group::Stream, "5.0.0", "Shows the consumers of a group.")
        .complexity("O(1)")
        .history(&[("7.2.0", "`inactive`; what `idle` means.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(KEY_AND_GROUP);

/// XINFO GROUPS.
pub const XINFO_GROUPS: Command<Handler> =
    Command::<Handler>::new("groups", 3, group_info::xinfo_groups)
        .flags(Flags::READONLY)
        .keys(READ)
        .docs(Group::Stream, "5.0.0", "Shows the consumer groups of a stream.")
        .complexity("O(1)")
        .history(&[("7.0.0", "`entries-read` and `lag`.")])
        .args(&[key("key")]);
