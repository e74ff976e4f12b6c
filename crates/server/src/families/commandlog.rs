//! SLOWLOG and COMMANDLOG: to look at the log of commands that took or cost much.

use commands::spec::arguments::{Argument, integer, oneof, token};
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};
use protocol::number::parse_i64;
use protocol::reply::Reply;

use super::help::help;
use super::no_subcommand;
use crate::commandlog::{Entry, Kind};
use crate::session::{Call, Flow, SessionHandler};

const FLAGS: Flags = Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE);
/// Entries that SLOWLOG GET shows unless it is told otherwise.
const COUNT: usize = 10;

const KIND: Argument =
    oneof("type").of(&[token("SLOW"), token("LARGE-REQUEST"), token("LARGE-REPLY")]);

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("commandlog", -2, no_subcommand)
        .docs(Group::Server, "8.1.0", "Commands about the logs of commands that cost much.")
        .complexity("that of the subcommand")
        .subcommands(COMMANDLOG),
    Command::<SessionHandler>::new("slowlog", -2, no_subcommand)
        .docs(Group::Server, "2.2.12", "Commands about the log of slow commands.")
        .complexity("that of the subcommand")
        .subcommands(SLOWLOG),
];

static SLOWLOG: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("get", -2, slowlog_get)
        .flags(FLAGS)
        .docs(Group::Server, "2.2.12", "Shows the newest slow commands.")
        .complexity("O(N) with N the number of entries shown")
        .history(&[("4.0.0", "Shows addresses and names of clients.")])
        .tips(&[tips::TO_ALL_NODES, tips::NONDETERMINISTIC])
        .args(&[integer("count").opt()]),
    Command::<SessionHandler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Server, "6.2.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("len", 2, slowlog_len)
        .flags(FLAGS)
        .docs(Group::Server, "2.2.12", "Counts the entries of the log.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_SUM, tips::NONDETERMINISTIC]),
    Command::<SessionHandler>::new("reset", 2, slowlog_reset)
        .flags(FLAGS)
        .docs(Group::Server, "2.2.12", "Empties the log.")
        .complexity("O(N) with N the number of entries")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED]),
];

static COMMANDLOG: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("get", 4, commandlog_get)
        .flags(FLAGS)
        .docs(Group::Server, "8.1.0", "Shows the newest commands of a log.")
        .complexity("O(N) with N the number of entries shown")
        .tips(&[tips::TO_ALL_NODES, tips::NONDETERMINISTIC])
        .args(&[integer("count"), KIND]),
    Command::<SessionHandler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Server, "8.1.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("len", 3, commandlog_len)
        .flags(FLAGS)
        .docs(Group::Server, "8.1.0", "Counts the entries of a log.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_SUM, tips::NONDETERMINISTIC])
        .args(&[KIND]),
    Command::<SessionHandler>::new("reset", 3, commandlog_reset)
        .flags(FLAGS)
        .docs(Group::Server, "8.1.0", "Empties a log.")
        .complexity("O(N) with N the number of entries")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED])
        .args(&[KIND]),
];

const BAD_KIND: Failure =
    Failure::text("ERR type should be one of the following: slow, large-request, large-reply");

fn slowlog_get(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let count = match call.args.len() {
        2 => COUNT,
        3 => count(call.args.get(2))?,
        _ => {
            let before = "ERR unknown subcommand or wrong number of arguments for '";
            return Err(Failure::quoting(before, call.args.get(1), "'. Try SLOWLOG HELP."));
        }
    };
    show(call, Kind::Slow, count)
}

fn slowlog_len(call: &mut Call<'_>) -> Result<Flow, Failure> {
    len(call, Kind::Slow)
}

fn slowlog_reset(call: &mut Call<'_>) -> Result<Flow, Failure> {
    reset(call, Kind::Slow)
}

fn commandlog_get(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let count = count(call.args.get(2))?;
    show(call, Kind::named(call.args.get(3)).ok_or(BAD_KIND)?, count)
}

fn commandlog_len(call: &mut Call<'_>) -> Result<Flow, Failure> {
    len(call, Kind::named(call.args.get(2)).ok_or(BAD_KIND)?)
}

fn commandlog_reset(call: &mut Call<'_>) -> Result<Flow, Failure> {
    reset(call, Kind::named(call.args.get(2)).ok_or(BAD_KIND)?)
}

/// How many entries a word asks for; -1 is all of them.
fn count(word: &[u8]) -> Result<usize, Failure> {
    match parse_i64(word) {
        Some(-1) => Ok(usize::MAX),
        Some(count @ 0..) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(Failure::text("ERR count should be greater than or equal to -1")),
    }
}

fn show(call: &mut Call<'_>, kind: Kind, count: usize) -> Result<Flow, Failure> {
    let entries = call.server.command_log.newest(kind, count);
    call.reply.array(entries.len());
    entries.iter().for_each(|entry| reply_entry(&mut call.reply, entry));
    Ok(Flow::Next)
}

fn len(call: &mut Call<'_>, kind: Kind) -> Result<Flow, Failure> {
    call.reply.count(call.server.command_log.len(kind));
    Ok(Flow::Next)
}

fn reset(call: &mut Call<'_>, kind: Kind) -> Result<Flow, Failure> {
    call.server.command_log.reset(kind);
    call.reply.ok();
    Ok(Flow::Next)
}

fn reply_entry(reply: &mut Reply<'_>, entry: &Entry) {
    let noted = &entry.noted;
    reply.array(6);
    for number in [entry.id, noted.unix_s, noted.cost] {
        reply.integer(i64::try_from(number).unwrap_or(i64::MAX));
    }
    reply.array(noted.args.len());
    noted.args.iter().for_each(|word| reply.bulk(word));
    reply.bulk(noted.addr.as_bytes());
    reply.bulk(noted.name.as_bytes());
}
