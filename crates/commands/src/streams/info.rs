//! XINFO: what there is to know of a stream.

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::stream::producers::{Horizon, Tracked};
use values::stream::{Id, Item, Stream};
use values::typed::Streams;

use super::group_info::{groups_work, reply_groups};
use super::group_rows::{XINFO_CONSUMERS, XINFO_GROUPS};
use super::ids::reply_id;
use super::range::{reply_entries, reply_entry};
use crate::context::{Args, Budget};
use crate::spec::arguments::{block, integer, key, token};
use crate::spec::{Access, Flags, Group, KeySpec, help_lines};
use crate::{Command, Context, Failure, Handler, Outcome};

/// Entries that XINFO STREAM FULL shows unless it is told otherwise.
const SHOWN: usize = 10;

pub(super) static SUBCOMMANDS: &[Command<Handler>] = &[
    XINFO_CONSUMERS,
    XINFO_GROUPS,
    Command::<Handler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Stream, "5.0.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<Handler>::new("stream", -3, stream)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::at(2, Access::READ)])
        .docs(Group::Stream, "5.0.0", "Describes a stream, with FULL its entries and groups too.")
        .complexity("O(1)")
        .history(&[
            ("6.0.0", "`FULL`."),
            ("7.0.0", "Counts of entries added and read, the lag, and ids of deleted entries."),
            ("7.2.0", "When a consumer was active."),
            ("8.6.0", "What is remembered of producers."),
        ])
        .args(&[
            key("key"),
            block("full-block").opt().of(&[token("FULL"), integer("count").after("COUNT").opt()]),
        ]),
];

pub(super) fn help(ctx: &mut Context<'_>) -> Outcome {
    let container = super::COMMANDS.iter().find(|row| row.spec.name == "xinfo");
    if let Some(container) = container {
        let lines = help_lines(&container.spec, SUBCOMMANDS.iter().map(|sub| &sub.spec));
        ctx.reply.array(lines.len());
        lines.iter().for_each(|line| ctx.reply.simple(line));
    }
    Ok(())
}

fn stream(ctx: &mut Context<'_>) -> Outcome {
    let (key, budget, args, now_ms) = (ctx.key(0), ctx.budget(), ctx.args, ctx.now_ms);
    let (stream, reply) = ctx.read::<Streams>(&key)?;
    let stream = stream.ok_or(Failure::NoSuchKey)?.stream();
    let full = entries_shown(args)?;
    budget.allow(stream.producers.as_ref().map_or(0, |producers| producers.len()))?;
    let start = reply.len();
    let done = describe(reply, stream, full, (now_ms, budget));
    if done.is_err() {
        reply.truncate(start);
    }
    done
}

/// How many entries FULL shows; `None` without it.
fn entries_shown(args: Args<'_>) -> Result<Option<usize>, Failure> {
    let is = |index, option: &str| args.get(index).eq_ignore_ascii_case(option.as_bytes());
    match args.len() {
        3 => Ok(None),
        4 if is(3, "full") => Ok(Some(SHOWN)),
        6 if is(3, "full") && is(4, "count") => {
            let count = parse_i64(args.get(5)).ok_or(Failure::NotInteger)?;
            Ok(Some(match usize::try_from(count) {
                Ok(0) => usize::MAX,
                Ok(count) => count,
                Err(_) => SHOWN,
            }))
        }
        _ => Err(Failure::quoting(
            "ERR unknown subcommand or wrong number of arguments for '",
            args.get(1),
            "'. Try XINFO HELP.",
        )),
    }
}

fn describe(
    reply: &mut Reply<'_>,
    stream: &Stream,
    full: Option<usize>,
    (now_ms, budget): (u64, Budget),
) -> Outcome {
    reply.map(if full.is_some() { 15 } else { 16 });
    field(reply, "length", stream.len());
    field(reply, "radix-tree-keys", stream.node_count());
    // A tree of ours has no nodes that hold keys alone: what is above them counts as one.
    field(reply, "radix-tree-nodes", stream.node_count().saturating_add(1));
    id_field(reply, "last-generated-id", stream.last_id());
    id_field(reply, "max-deleted-entry-id", stream.max_deleted_id());
    field(reply, "entries-added", stream.entries_added());
    id_field(reply, "recorded-first-entry-id", stream.first_id().unwrap_or(Id::MIN));
    describe_producers(reply, stream, now_ms);
    if let Some(count) = full {
        reply.bulk(b"entries");
        let entries = stream.range(Id::MIN, Id::MAX);
        reply_entries(reply, entries, count.min(stream.len()), budget)?;
        reply.bulk(b"groups");
        budget.allow(groups_work(stream, count))?;
        reply_groups(reply, stream, count);
        return Ok(());
    }
    field(reply, "groups", stream.groups.iter().len());
    reply.bulk(b"first-entry");
    reply_edge(reply, stream.range(Id::MIN, Id::MAX).next());
    reply.bulk(b"last-entry");
    reply_edge(reply, stream.range_back(Id::MIN, Id::MAX).next());
    Ok(())
}

fn describe_producers(reply: &mut Reply<'_>, stream: &Stream, now_ms: u64) {
    let producers = stream.producers.as_deref();
    let horizon = producers.map_or(Horizon::DEFAULT, |producers| producers.horizon());
    let tracked = producers.map_or(Tracked::default(), |producers| producers.tracked(now_ms));
    field(reply, "idmp-duration", horizon.seconds);
    field(reply, "idmp-maxsize", horizon.messages);
    field(reply, "pids-tracked", tracked.producers);
    field(reply, "iids-tracked", tracked.messages);
    field(reply, "iids-added", producers.map_or(0, |producers| producers.messages_added()));
    field(reply, "iids-duplicates", producers.map_or(0, |producers| producers.duplicates()));
}

/// Writes the first or the last entry.
fn reply_edge(reply: &mut Reply<'_>, entry: Option<Item<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

/// Writes a name and a number.
fn field(reply: &mut Reply<'_>, name: &str, number: impl TryInto<i64>) {
    reply.bulk(name.as_bytes());
    reply.integer(number.try_into().unwrap_or(i64::MAX));
}

/// Writes a name and an id.
fn id_field(reply: &mut Reply<'_>, name: &str, id: Id) {
    reply.bulk(name.as_bytes());
    reply_id(reply, id);
}
