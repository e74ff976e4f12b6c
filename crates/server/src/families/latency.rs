//! LATENCY: what held clients up, and how long commands take.

use std::fmt::Write as _;
use std::iter;
use std::sync::atomic::Ordering::Relaxed;

use commands::spec::arguments::string;
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};

use super::help::help;
use super::no_subcommand;
use crate::latency::{Event, event};
use crate::registry::Registered;
use crate::session::{Call, Flow, SessionHandler};
use crate::stats::Times;

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);
/// Columns of LATENCY GRAPH.
const GRAPH_WIDTH: usize = 80;

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("latency", -2, no_subcommand)
        .docs(Group::Server, "2.8.13", "Commands about what takes long.")
        .complexity("that of the subcommand")
        .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("doctor", 2, doctor)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Says in words what took long, and what helps.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_NODES, tips::REPLY_SPECIAL]),
    Command::<SessionHandler>::new("graph", 3, graph)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Draws the samples of an event.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_NODES, tips::REPLY_SPECIAL])
        .args(&[string("event")]),
    Command::<SessionHandler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Server, "2.8.13", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("histogram", -2, histogram)
        .flags(FLAGS)
        .docs(Group::Server, "7.0.0", "Shows how long commands take: all, or those named.")
        .complexity("O(N) with N the number of commands shown")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_NODES, tips::REPLY_SPECIAL])
        .args(&[string("command").opt().many()]),
    Command::<SessionHandler>::new("history", 3, history)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Shows the samples of an event.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_NODES, tips::REPLY_SPECIAL])
        .args(&[string("event")]),
    Command::<SessionHandler>::new("latest", 2, latest)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Shows the last and the worst sample of every event.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC, tips::TO_ALL_NODES, tips::REPLY_SPECIAL]),
    Command::<SessionHandler>::new("reset", -2, reset)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Forgets the samples of all events, or of those named.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED])
        .args(&[string("event").opt().many()]),
];

fn latest(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let events = call.server.latency.events();
    call.reply.array(events.len());
    for (name, event) in events {
        let last = event.samples.back().map_or([0; 2], |last| [last.unix_s, last.ms]);
        call.reply.array(4);
        call.reply.bulk(name.as_bytes());
        for number in last.into_iter().chain([event.worst_ms]) {
            call.reply.integer(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
    Ok(Flow::Next)
}

fn history(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let samples = call.server.latency.event(call.args.get(2)).unwrap_or_default().samples;
    call.reply.array(samples.len());
    for sample in samples {
        call.reply.array(2);
        call.reply.integer(i64::try_from(sample.unix_s).unwrap_or(i64::MAX));
        call.reply.integer(i64::try_from(sample.ms).unwrap_or(i64::MAX));
    }
    Ok(Flow::Next)
}

/// How long commands take: all, or those that are named, a container with its subcommands.
fn histogram(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let server = call.server;
    let mut chosen: Vec<&Registered> = Vec::new();
    if call.args.len() == 2 {
        chosen.extend(server.registry.rows());
    }
    for name in call.args.from(2) {
        if let Some(command) = server.registry.find_full(name) {
            chosen.extend(iter::once(command).chain(&command.subcommands));
        }
    }
    let mut found: Vec<(&str, Times)> = chosen
        .into_iter()
        .map(|command| (command.name, server.stats.totals(command.index).times))
        .collect();
    found.retain(|(_, times)| times.count() > 0);
    call.reply.map(found.len());
    for (name, times) in found {
        call.reply.bulk(name.as_bytes());
        call.reply.map(2);
        call.reply.bulk(b"calls");
        call.reply.integer(i64::try_from(times.count()).unwrap_or(i64::MAX));
        call.reply.bulk(b"histogram_usec");
        let steps = cumulative(&times);
        call.reply.map(steps.len());
        for number in steps.into_iter().flat_map(<[u64; 2]>::from) {
            call.reply.integer(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
    Ok(Flow::Next)
}

/// Bounds in microseconds, and how many calls took at most so long, where that changes. The bounds
/// are those of Redis, whose histogram makes powers of two a little larger.
fn cumulative(times: &Times) -> Vec<(u64, u64)> {
    let bounds = (10..63).map(|power| ((1u64 << power) + (1 << (power - 7)) - 1) / 1000);
    let (all, mut last) = (times.count(), 0);
    let mut steps = Vec::new();
    for bound in bounds {
        if last == all {
            break;
        }
        let count = times.count_up_to(bound);
        if count > last {
            steps.push((bound, count));
            last = count;
        }
    }
    steps
}

fn reset(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let latency = &call.server.latency;
    let forgotten = if call.args.len() == 2 {
        latency.forget_all()
    } else {
        call.args.from(2).filter(|name| latency.forget(name)).count()
    };
    call.reply.count(forgotten);
    Ok(Flow::Next)
}

fn graph(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let (name, now_s) = (call.args.get(2), call.now_ms / 1000);
    let event = call.server.latency.event(name).unwrap_or_default();
    let Some(summary) = event.summary(now_s) else {
        return Err(Failure::quoting("ERR No samples available for event '", name, "'"));
    };
    let text = format!(
        "{} - high {} ms, low {} ms (all time high {} ms)\n{}\n{}",
        String::from_utf8_lossy(name),
        summary.high_ms,
        summary.low_ms,
        event.worst_ms,
        "-".repeat(GRAPH_WIDTH),
        event.graph(now_s, GRAPH_WIDTH),
    );
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Flow::Next)
}

fn doctor(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let server = call.server;
    let threshold_ms = server.config.latency_threshold_ms.load(Relaxed);
    let events = server.latency.events();
    let text = if threshold_ms == 0 && events.is_empty() {
        "The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it \
         on.\n"
            .to_owned()
    } else if events.is_empty() {
        format!("Nothing has taken {threshold_ms} ms or longer. All is well.\n")
    } else {
        report(&events, call.now_ms / 1000)
    };
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Flow::Next)
}

fn report(events: &[(&'static str, Event)], now_s: u64) -> String {
    let mut text = String::from("These events held clients up:\n\n");
    let known =
        events.iter().filter_map(|(name, event)| Some((name, event, event.summary(now_s)?)));
    for (number, (name, event, summary)) in (1..).zip(known) {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{number}. {name}: {} times, {} ms in the mean (mean deviation {} ms), every {:.2} s. \
             The worst was {} ms.",
            summary.count,
            summary.mean_ms,
            summary.deviation_ms,
            summary.span_s as f64 / summary.count as f64,
            event.worst_ms,
        );
    }
    text.push_str("\nWhat helps:\n\n");
    for (name, _) in events {
        text.push_str(match *name {
            event::COMMAND => {
                "- SLOWLOG GET names the commands that took long. Those that walk many keys do.\n"
            }
            event::FAST_COMMAND => {
                "- Commands that should be quick were not. Other programs may use the processors, \
                 or the machine may swap memory.\n"
            }
            event::EXPIRE_CYCLE => {
                "- Many keys expire at one time. Spread their times, as by adding a random part.\n"
            }
            _ => "",
        });
    }
    text
}
