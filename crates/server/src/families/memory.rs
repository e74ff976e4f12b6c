//! MEMORY: what memory is used for, and giving it back.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use commands::spec::arguments::{integer, key};
use commands::spec::{Access, Flags, Group, KeySpec, tips};
use commands::{Args, Command, Failure};
use keyspace::{Db, Key};
use protocol::number::parse_i64;
use protocol::reply::Reply;

use super::help::help;
use super::{no_subcommand, with_key};
use crate::census::Census;
use crate::session::{Call, Flow, SessionHandler};
use crate::system;
use crate::usage::{Usage, excess, ratio};

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("memory", -2, no_subcommand)
        .docs(Group::Server, "4.0.0", "Commands about the use of memory.")
        .complexity("that of the subcommand")
        .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("doctor", 2, doctor)
        .docs(Group::Server, "4.0.0", "Says in words whether memory is used well.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_SHARDS, tips::REPLY_SPECIAL]),
    Command::<SessionHandler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Server, "4.0.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("malloc-stats", 2, malloc_stats)
        .docs(Group::Server, "4.0.0", "Shows the allocator's own report.")
        .complexity("grows with the memory in use")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_SHARDS, tips::REPLY_SPECIAL]),
    Command::<SessionHandler>::new("purge", 2, purge)
        .docs(Group::Server, "4.0.0", "Gives unused memory back to the operating system.")
        .complexity("grows with the memory in use")
        .tips(&[tips::TO_ALL_SHARDS, tips::REPLY_ALL_SUCCEEDED]),
    Command::<SessionHandler>::new("stats", 2, stats)
        .docs(Group::Server, "4.0.0", "Shows what memory is used for.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_SHARDS, tips::REPLY_SPECIAL]),
    Command::<SessionHandler>::new("usage", -3, usage)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::at(2, Access::INSPECT)])
        .docs(Group::Server, "4.0.0", "Tells the bytes of memory that a key takes.")
        .complexity("O(N) with N the number of samples")
        .args(&[key("key"), integer("count").after("SAMPLES").opt()]),
];

fn usage(call: &mut Call<'_>) -> Result<Flow, Failure> {
    check_samples(call.args)?;
    with_key(call, 2, usage_of_key)
}

/// SAMPLES says how closely to look at the parts of a value; that of a string has none.
fn check_samples(args: Args<'_>) -> Result<(), Failure> {
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        let count = words.next().filter(|_| word.eq_ignore_ascii_case(b"samples"));
        let count = parse_i64(count.ok_or(Failure::Syntax)?).ok_or(Failure::NotInteger)?;
        if count < 0 {
            return Err(Failure::Syntax);
        }
    }
    Ok(())
}

/// The bytes of the entry, and of its share of the table.
fn usage_of_key(db: &mut Db, key: &Key<'_>, now_ms: u64, reply: &mut Reply<'_>) {
    let entry = db.get(key, now_ms).map(|entry| entry.memory());
    match entry {
        Some(bytes) => reply.count(bytes + db.table_memory() / db.len().max(1)),
        None => reply.null(),
    }
}

/// Has all threads give their free memory back, and waits for those that serve connections, which
/// look after it ten times a second.
fn purge(call: &mut Call<'_>) -> Result<Flow, Failure> {
    const PATIENCE: Duration = Duration::from_millis(500);
    const STEP: Duration = Duration::from_millis(1);
    let server = call.server;
    Ok(Flow::Work(Box::new(move |reply| {
        memory::ask_for_purge();
        keyspace::reclaim::settle();
        let since = Instant::now();
        // This thread counts too.
        while memory::purged() <= server.threads && since.elapsed() < PATIENCE {
            std::thread::sleep(STEP);
        }
        reply.ok();
    })))
}

fn malloc_stats(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.verbatim("txt", memory::report().as_bytes());
    Ok(Flow::Next)
}

fn stats(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let (server, now_ms) = (call.server, call.now_ms);
    Ok(Flow::Work(Box::new(move |reply| {
        let census = Census::take(server.keyspace, now_ms);
        show_stats(&Usage::measure(server, &census), &census, reply);
    })))
}

fn show_stats(usage: &Usage, census: &Census, reply: &mut Reply<'_>) {
    let dbs: Vec<_> = (0..).zip(&census.dbs).filter(|(_, db)| db.keys > 0).collect();
    reply.map(27 + dbs.len());
    bytes(reply, "peak.allocated", usage.peak);
    bytes(reply, "total.allocated", usage.used);
    bytes(reply, "startup.allocated", usage.started);
    bytes(reply, "replication.backlog", 0);
    bytes(reply, "clients.slaves", 0);
    bytes(reply, "clients.normal", usage.clients);
    bytes(reply, "cluster.links", 0);
    bytes(reply, "aof.buffer", 0);
    bytes(reply, "lua.caches", 0);
    bytes(reply, "functions.caches", 0);
    for (number, db) in dbs {
        reply.bulk(format!("db.{number}").as_bytes());
        reply.map(2);
        bytes(reply, "overhead.hashtable.main", db.bytes);
        bytes(reply, "overhead.hashtable.expires", 0);
    }
    bytes(reply, "overhead.total", usage.overhead());
    bytes(reply, "keys.count", usage.keys);
    let grown = usage.used.saturating_sub(usage.started);
    bytes(reply, "keys.bytes-per-key", grown.checked_div(usage.keys).unwrap_or(0));
    bytes(reply, "dataset.bytes", usage.dataset());
    number(reply, "dataset.percentage", usage.dataset_percent());
    number(reply, "peak.percentage", usage.peak_percent());
    bytes(reply, "allocator.allocated", usage.used);
    bytes(reply, "allocator.active", usage.committed);
    bytes(reply, "allocator.resident", usage.private);
    let pairs = [
        ("allocator-fragmentation", usage.committed, usage.used),
        ("allocator-rss", usage.private, usage.committed),
        ("rss-overhead", usage.resident, usage.private),
    ];
    for (name, a, b) in pairs {
        number(reply, &format!("{name}.ratio"), ratio(a, b));
        signed(reply, &format!("{name}.bytes"), excess(a, b));
    }
    number(reply, "fragmentation", ratio(usage.resident, usage.used));
    signed(reply, "fragmentation.bytes", excess(usage.resident, usage.used));
}

fn bytes(reply: &mut Reply<'_>, name: &str, value: u64) {
    signed(reply, name, i64::try_from(value).unwrap_or(i64::MAX));
}

fn signed(reply: &mut Reply<'_>, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

fn number(reply: &mut Reply<'_>, name: &str, value: f64) {
    reply.bulk(name.as_bytes());
    reply.double(value);
}

fn doctor(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let (server, now_ms) = (call.server, call.now_ms);
    Ok(Flow::Work(Box::new(move |reply| {
        let usage = Usage::measure(server, &Census::take(server.keyspace, now_ms));
        reply.verbatim("txt", report(&usage, system::has_huge_pages()).as_bytes());
    })))
}

/// What is wrong with how memory is used, in words.
fn report(usage: &Usage, huge_pages: bool) -> String {
    /// Below this nothing can be said.
    const ENOUGH: u64 = 5 * 1024 * 1024;
    /// Less than this is not worth a word.
    const LARGE: i64 = 10 * 1024 * 1024;
    if usage.used.saturating_sub(usage.started) < ENOUGH {
        return "There are too few data to judge by. Come back when there are some megabytes.\n"
            .to_owned();
    }
    let mut found = String::new();
    let mut tell = |holds: bool, text: &str| {
        if holds {
            // Writing to a string does not fail.
            let _ = writeln!(found, "- {text}\n");
        }
    };
    let above = |a, b, times: f64| ratio(a, b) > times && excess(a, b) > LARGE;
    tell(
        above(usage.peak, usage.used, 1.5),
        "At its peak the server used half as much again as now, or more. Pages that are still \
         partly used keep memory from going back to the operating system; new data will fill \
         them.",
    );
    tell(
        above(usage.private, usage.used, 1.4),
        "The process has much more memory than is used. MEMORY PURGE gives back what is free; the \
         rest is in pages that are partly used.",
    );
    tell(
        above(usage.resident, usage.private, 1.1),
        "Much of the process's memory is not its own but that of files.",
    );
    tell(
        huge_pages && above(usage.resident, usage.used, 1.2),
        "The kernel makes huge pages of all memory, which keeps more of it than is used. \
         /sys/kernel/mm/transparent_hugepage/enabled may say madvise instead.",
    );
    if found.is_empty() {
        return "Memory is used well.\n".to_owned();
    }
    format!("What stands out about memory:\n\n{found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctor_finds_what_stands_out() {
        const MB: u64 = 1024 * 1024;
        let used = Usage { used: 100 * MB, peak: 100 * MB, ..Usage::default() };
        let well = Usage { resident: 105 * MB, private: 100 * MB, ..used };
        let few = Usage { used: MB, ..well };
        let peak = Usage { peak: 200 * MB, ..well };
        let wide = Usage { resident: 200 * MB, private: 195 * MB, ..well };
        for (usage, huge, expected) in [
            (&few, false, "too few data"),
            (&well, true, "used well"),
            (&peak, false, "At its peak"),
            (&wide, false, "more memory than is used"),
            (&wide, true, "huge pages"),
        ] {
            let report = report(usage, huge);
            assert!(report.contains(expected), "{usage:?}: {report}");
        }
    }
}
