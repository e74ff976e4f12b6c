//! HOTKEYS: counting which keys cost most, for a while.

use std::sync::Arc;

use commands::spec::arguments::{block, integer, token};
use commands::spec::{Flags, Group, tips};
use commands::{Args, Command, Failure};
use keyspace::slot::SLOTS;
use protocol::number::parse_i64;
use protocol::reply::Reply;

use super::help::help;
use super::no_subcommand;
use crate::hotkeys::{Cpu, Session, Wish};
use crate::session::{Call, Flow, SessionHandler};
use crate::system;

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT);
/// Keys that are shown unless something else is asked for.
const COUNT: usize = 10;
const COUNT_MAX: i64 = 64;
const DURATION_MAX_S: i64 = 1_000_000;

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("hotkeys", -2, no_subcommand)
        .docs(Group::Server, "8.6.0", "Commands that find the keys that cost most.")
        .complexity("that of the subcommand")
        .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("get", 2, get)
        .flags(FLAGS)
        .docs(Group::Server, "8.6.0", "Shows the keys that cost most.")
        .complexity("O(K) with K the number of keys shown")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_SPECIAL, tips::REPLY_SPECIAL]),
    Command::<SessionHandler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Server, "8.6.1", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("reset", 2, reset)
        .flags(FLAGS)
        .docs(Group::Server, "8.6.0", "Forgets what was counted.")
        .complexity("O(1)")
        .tips(&[tips::TO_SPECIAL]),
    Command::<SessionHandler>::new("start", -2, start)
        .flags(FLAGS)
        .docs(Group::Server, "8.6.0", "Begins to count what keys cost.")
        .complexity("O(1)")
        .tips(&[tips::TO_SPECIAL])
        .args(&[
            block("metrics").after("METRICS").of(&[
                integer("count"),
                token("CPU").opt(),
                token("NET").opt(),
            ]),
            integer("k").after("COUNT").opt(),
            integer("seconds").after("DURATION").opt(),
            integer("ratio").after("SAMPLE").opt(),
            block("slots").after("SLOTS").opt().of(&[integer("count"), integer("slot").many()]),
        ]),
    Command::<SessionHandler>::new("stop", 2, stop)
        .flags(FLAGS)
        .docs(Group::Server, "8.6.0", "Ends counting; GET still shows what was counted.")
        .complexity("O(1)")
        .tips(&[tips::TO_SPECIAL]),
];

/// The number in a word, if it is one from `min` to `max`.
fn number(word: Option<&[u8]>, min: i64, max: i64, error: &'static str) -> Result<u64, Failure> {
    let number = parse_i64(word.ok_or(Failure::Syntax)?);
    let number = number.filter(|number| (min..=max).contains(number));
    number.map(i64::cast_unsigned).ok_or(Failure::text(error))
}

/// The metrics that METRICS names: their count, then as many names, of which one that is not known
/// is passed by.
fn metrics<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Result<(bool, bool), Failure> {
    const NAMES: [&[u8]; 2] = [b"cpu", b"net"];
    let missing = Failure::text("ERR METRICS parameter is required");
    let bad_count = "ERR METRICS count must be > 0 and <= 2";
    let count = number(Some(words.next().ok_or(missing)?), 1, 2, bad_count)?;
    let mut chosen = [false; 2];
    for _ in 0..count {
        let mismatch = "ERR METRICS count does not match number of metric types provided";
        let word = words.next().ok_or(Failure::text(mismatch))?;
        let metric = NAMES.iter().position(|name| word.eq_ignore_ascii_case(name));
        if let Some(metric) = metric
            && std::mem::replace(&mut chosen[metric], true)
        {
            let name = ["CPU", "NET"][metric];
            let text = format!("ERR METRICS {name} defined more than once!");
            return Err(Failure::Text(text.into()));
        }
    }
    match chosen {
        [false, false] => {
            Err(Failure::text("ERR METRICS no valid metrics passed. Supported: CPU|NET"))
        }
        [cpu, net] => Ok((cpu, net)),
    }
}

fn wish(args: Args<'_>) -> Result<Wish, Failure> {
    let mut words = args.from(2);
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"metrics")) {
        return Err(Failure::text("ERR METRICS parameter is required"));
    }
    let (cpu, net) = metrics(&mut words)?;
    let mut wish = Wish { cpu, net, count: COUNT, duration_ms: 0, ratio: 1 };
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_slice() {
            b"count" => {
                let error = "ERR COUNT must be between 1 and 64";
                wish.count = number(words.next(), 1, COUNT_MAX, error)? as usize;
            }
            b"duration" => {
                let error = "ERR DURATION must be between 1 and 1000000";
                wish.duration_ms = number(words.next(), 1, DURATION_MAX_S, error)? * 1000;
            }
            b"sample" => {
                let error = "ERR SAMPLE ratio must be positive";
                wish.ratio = number(words.next(), 1, i64::MAX, error)?;
            }
            b"slots" => {
                let text = "ERR SLOTS parameter cannot be used in non-cluster mode";
                return Err(Failure::text(text));
            }
            _ => return Err(Failure::Syntax),
        }
    }
    Ok(wish)
}

/// The process's time so far.
pub(super) fn cpu() -> Cpu {
    let times = system::cpu_times().unwrap_or_default();
    let ms = |seconds: f64| (seconds * 1000.0) as u64;
    Cpu { user_ms: ms(times.user_s), system_ms: ms(times.system_s) }
}

fn start(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let hotkeys = &call.server.hotkeys;
    let running = Failure::text("ERR hotkey tracking session already in progress");
    if hotkeys.is_active() && hotkeys.look(call.now_ms, cpu(), |s| s.until_ms).flatten().is_none() {
        return Err(running);
    }
    let wish = wish(call.args)?;
    if !hotkeys.start(wish, call.now_ms, cpu()) {
        return Err(running);
    }
    call.reply.ok();
    Ok(Flow::Next)
}

fn stop(call: &mut Call<'_>) -> Result<Flow, Failure> {
    if call.server.hotkeys.stop(call.now_ms, cpu()) {
        call.reply.ok();
    } else {
        call.reply.null();
    }
    Ok(Flow::Next)
}

fn reset(call: &mut Call<'_>) -> Result<Flow, Failure> {
    if !call.server.hotkeys.reset(call.now_ms, cpu()) {
        let text = "ERR hotkey tracking session in progress, stop tracking first";
        return Err(Failure::text(text));
    }
    call.reply.ok();
    Ok(Flow::Next)
}

fn get(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let (now_ms, cpu, reply) = (call.now_ms, cpu(), &mut call.reply);
    let shown = call.server.hotkeys.look(now_ms, cpu, |session| {
        show(session, now_ms, cpu, reply);
    });
    if shown.is_none() {
        call.reply.null();
    }
    Ok(Flow::Next)
}

fn show(session: &Session, now_ms: u64, cpu: Cpu, reply: &mut Reply<'_>) {
    let wish = &session.wish;
    let until_ms = session.until_ms.unwrap_or(now_ms);
    let cpu = session.cpu_until.unwrap_or(cpu);
    reply.array(1);
    reply.map(7 + if wish.cpu { 3 } else { 0 } + if wish.net { 2 } else { 0 });
    field(reply, "tracking-active", u64::from(session.until_ms.is_none()));
    field(reply, "sample-ratio", wish.ratio);
    reply.bulk(b"selected-slots");
    reply.array(1);
    reply.array(2);
    reply.integer(0);
    reply.integer(i64::from(SLOTS) - 1);
    field(reply, "all-commands-all-slots-us", session.sums.all_nanos / 1000);
    field(reply, "net-bytes-all-commands-all-slots", session.sums.all_bytes);
    field(reply, "collection-start-time-unix-ms", session.since_ms);
    field(reply, "collection-duration-ms", until_ms.saturating_sub(session.since_ms));
    if wish.cpu {
        let since = session.cpu_since;
        field(reply, "total-cpu-time-user-ms", cpu.user_ms.saturating_sub(since.user_ms));
        field(reply, "total-cpu-time-sys-ms", cpu.system_ms.saturating_sub(since.system_ms));
    }
    if wish.net {
        field(reply, "total-net-bytes", session.sums.bytes);
    }
    if wish.cpu {
        let mut keys = session.by_nanos();
        keys.iter_mut().for_each(|(_, nanos)| *nanos /= 1000);
        list(reply, "by-cpu-time-us", &keys);
    }
    if wish.net {
        list(reply, "by-net-bytes", &session.by_bytes());
    }
}

fn field(reply: &mut Reply<'_>, name: &str, value: u64) {
    reply.bulk(name.as_bytes());
    reply.integer(i64::try_from(value).unwrap_or(i64::MAX));
}

fn list(reply: &mut Reply<'_>, name: &str, keys: &[(Arc<[u8]>, u64)]) {
    reply.bulk(name.as_bytes());
    reply.array(keys.len() * 2);
    for (key, value) in keys {
        reply.bulk(key);
        reply.integer(i64::try_from(*value).unwrap_or(i64::MAX));
    }
}
