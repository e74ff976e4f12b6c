//! INFO and TIME: what the server tells about itself.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use commands::spec::arguments::string;
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};
use keyspace::db::Stats;
use keyspace::{DATABASES, SHARDS, reclaim};

use crate::server::Server;
use crate::session::{Call, Flow, SessionHandler};
use crate::{REDIS_VERSION, VERSION};

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("info", -1, info)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Server, "1.0.0", "Tells about the server, in sections.")
        .complexity("O(1)")
        .history(&[("7.0.0", "Takes several sections.")])
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_SHARDS, tips::REPLY_SPECIAL])
        .categories(&["dangerous"])
        .args(&[string("section").opt().many()]),
    Command::<SessionHandler>::new("time", 1, time)
        .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
        .docs(Group::Server, "2.6.0", "Tells the server's time.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC]),
];

/// A section: its name, and what writes its lines.
type Section = (&'static str, fn(&Server, &Sums, &mut String) -> std::fmt::Result);

const SECTIONS: &[Section] = &[
    ("Server", server_section),
    ("Clients", clients_section),
    ("Memory", memory_section),
    ("Stats", stats_section),
    ("Replication", replication_section),
    ("CPU", cpu_section),
    ("Keyspace", keyspace_section),
];

fn time(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    call.reply.array(2);
    call.reply.bulk(now.as_secs().to_string().as_bytes());
    call.reply.bulk(now.subsec_micros().to_string().as_bytes());
    Ok(Flow::Next)
}

fn info(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let wanted: Vec<String> =
        call.args.from(1).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let all = wanted.is_empty()
        || wanted.iter().any(|word| ["all", "everything", "default"].contains(&word.as_str()));
    let server = call.server;
    // Counting walks the shards, some of which may be busy for a while: not on this thread.
    Ok(Flow::Work(Box::new(move |reply| {
        let sums = Sums::collect(server);
        let mut text = String::new();
        for (name, write) in SECTIONS {
            if all || wanted.contains(&name.to_ascii_lowercase()) {
                let separator = if text.is_empty() { "" } else { "\r\n" };
                // Writing to a string does not fail.
                let _ = write!(text, "{separator}# {name}\r\n");
                let _ = write(server, &sums, &mut text);
            }
        }
        reply.verbatim("txt", text.as_bytes());
    })))
}

/// What is summed over the shards.
struct Sums {
    stats: Stats,
    keys: [usize; DATABASES],
    volatile: [usize; DATABASES],
    table_memory: usize,
}

impl Sums {
    fn collect(server: &Server) -> Self {
        let mut sums = Self {
            stats: Stats::default(),
            keys: [0; DATABASES],
            volatile: [0; DATABASES],
            table_memory: 0,
        };
        for number in 0..SHARDS {
            let mut shard = server.keyspace.borrow_blocking(number as u16);
            for (number, db) in shard.dbs() {
                sums.stats += db.stats;
                sums.keys[usize::from(number)] += db.len();
                sums.volatile[usize::from(number)] += db.volatile();
                sums.table_memory += db.table_memory();
            }
        }
        sums
    }
}

fn server_section(server: &Server, _: &Sums, out: &mut String) -> std::fmt::Result {
    let uptime_s = server.started.elapsed().as_secs();
    let port = server.config.port.load(std::sync::atomic::Ordering::Relaxed);
    write!(out, "redis_version:{REDIS_VERSION}\r\ndragonfly_version:{VERSION}\r\n")?;
    write!(out, "redis_mode:standalone\r\nos:{}\r\n", std::env::consts::OS)?;
    write!(out, "arch_bits:{}\r\nmultiplexing_api:epoll\r\n", usize::BITS)?;
    write!(out, "process_id:{}\r\nrun_id:{}\r\n", std::process::id(), server.run_id)?;
    write!(out, "tcp_port:{port}\r\nthread_count:{}\r\n", server.threads)?;
    write!(out, "uptime_in_seconds:{uptime_s}\r\nuptime_in_days:{}\r\n", uptime_s / 86_400)
}

fn clients_section(server: &Server, _: &Sums, out: &mut String) -> std::fmt::Result {
    let most = server.config.clients_max.load(std::sync::atomic::Ordering::Relaxed);
    write!(out, "connected_clients:{}\r\nmaxclients:{most}\r\n", server.clients.len())
}

fn memory_section(_: &Server, sums: &Sums, out: &mut String) -> std::fmt::Result {
    let (used, rss) = (memory::used(), resident_bytes().unwrap_or(0));
    write!(out, "used_memory:{used}\r\nused_memory_human:{}\r\n", human(used))?;
    write!(out, "used_memory_rss:{rss}\r\nused_memory_rss_human:{}\r\n", human(rss))?;
    write!(
        out,
        "used_memory_peak:{0}\r\nused_memory_peak_human:{1}\r\n",
        memory::peak(),
        human(memory::peak())
    )?;
    write!(out, "used_memory_overhead_tables:{}\r\n", sums.table_memory)?;
    write!(out, "lazyfree_pending_objects:{}\r\nmem_allocator:mimalloc\r\n", reclaim::pending())
}

fn stats_section(server: &Server, sums: &Sums, out: &mut String) -> std::fmt::Result {
    let totals = server.totals();
    write!(out, "total_connections_received:{}\r\n", totals.accepted)?;
    write!(out, "total_commands_processed:{}\r\n", totals.commands)?;
    write!(out, "total_net_input_bytes:{}\r\n", totals.bytes_in)?;
    write!(out, "total_net_output_bytes:{}\r\n", totals.bytes_out)?;
    write!(out, "rejected_connections:{}\r\n", totals.refused)?;
    write!(out, "expired_keys:{}\r\n", sums.stats.expired)?;
    write!(out, "keyspace_hits:{}\r\nkeyspace_misses:{}\r\n", sums.stats.hits, sums.stats.misses)
}

fn replication_section(_: &Server, _: &Sums, out: &mut String) -> std::fmt::Result {
    write!(out, "role:master\r\nconnected_slaves:0\r\n")
}

fn cpu_section(_: &Server, _: &Sums, out: &mut String) -> std::fmt::Result {
    let (user_s, system_s) = cpu_seconds().unwrap_or((0.0, 0.0));
    write!(out, "used_cpu_sys:{system_s:.6}\r\nused_cpu_user:{user_s:.6}\r\n")
}

fn keyspace_section(_: &Server, sums: &Sums, out: &mut String) -> std::fmt::Result {
    for (number, (keys, volatile)) in sums.keys.iter().zip(&sums.volatile).enumerate() {
        if *keys > 0 {
            write!(out, "db{number}:keys={keys},expires={volatile},avg_ttl=0\r\n")?;
        }
    }
    Ok(())
}

/// Bytes as people like to read them: `1.50M`.
fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "K", "M", "G", "T"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes}B") } else { format!("{value:.2}{unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.2}P")
}

/// Resident memory of the process, from `/proc/self/statm` (pages; proc(5)).
fn resident_bytes() -> Option<u64> {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE)
}

/// Seconds of processor time, of the user's and the system's kind, from `/proc/self/stat` (proc(5):
/// fields 14 and 15, in ticks of 10 ms).
fn cpu_seconds() -> Option<(f64, f64)> {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut next = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_S);
    Some((next()?, next()?))
}
