//! INFO and TIME: what the server tells about itself.
//!
//! A section is a name and a function that adds its fields to a [`Page`]. All sections of a reply
//! are made from one measurement, taken in the worker pool because it walks the shards.

mod commandstats;
mod memory;
mod server;
mod stats;

use std::fmt::{Display, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use commands::spec::arguments::string;
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};

use crate::census::Census;
use crate::counts::Counts;
use crate::server::Server;
use crate::session::{Call, Flow, SessionHandler};

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

/// A section.
struct Section {
    name: &'static str,
    /// Whether it is shown when nothing is asked for.
    is_default: bool,
    write: fn(&Measured, &mut Page),
}

const fn section(name: &'static str, write: fn(&Measured, &mut Page)) -> Section {
    Section { name, is_default: true, write }
}

const fn extra(name: &'static str, write: fn(&Measured, &mut Page)) -> Section {
    Section { name, is_default: false, write }
}

/// All sections, in their order.
const SECTIONS: &[Section] = &[
    section("Server", server::server),
    section("Clients", server::clients),
    section("Memory", memory::memory),
    section("Persistence", server::persistence),
    section("Stats", stats::stats),
    section("Replication", server::replication),
    section("CPU", server::cpu),
    section("Hotkeys", server::hotkeys),
    section("Modules", |_, _| ()),
    extra("Commandstats", commandstats::commands),
    section("Errorstats", commandstats::errors),
    extra("Latencystats", commandstats::latencies),
    section("Cluster", server::cluster),
    section("Keyspace", stats::keyspace),
];

/// What sections are made from.
struct Measured {
    server: &'static Server,
    census: Census,
    /// Since the last reset.
    counts: Counts,
    now_ms: u64,
}

/// The text of a reply.
#[derive(Default)]
struct Page(String);

impl Page {
    fn header(&mut self, name: &str) {
        let separator = if self.0.is_empty() { "" } else { "\r\n" };
        // Writing to a string does not fail, here and below.
        let _ = write!(self.0, "{separator}# {name}\r\n");
    }

    /// Adds a field.
    fn field(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// Adds fields whose value is always zero, as what they count does not exist here.
    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }

    /// Adds a number of bytes, also as people like to read it.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        let _ = write!(self.0, "{name}_human:{}\r\n", human(bytes));
    }
}

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
    let (server, now_ms) = (call.server, call.now_ms);
    // Measuring walks the shards, some of which may be busy for a while: not on this thread.
    Ok(Flow::Work(Box::new(move |reply| {
        reply.verbatim("txt", page(server, now_ms, &wanted).as_bytes());
    })))
}

fn page(server: &'static Server, now_ms: u64, wanted: &[String]) -> String {
    let asks = |name: &str| wanted.iter().any(|word| word.eq_ignore_ascii_case(name));
    let all = asks("all") || asks("everything");
    let default = wanted.is_empty() || asks("default");
    let chosen: Vec<&Section> = SECTIONS
        .iter()
        .filter(|section| all || default && section.is_default || asks(section.name))
        .collect();
    let mut page = Page::default();
    if !chosen.is_empty() {
        let census = Census::take(server.keyspace, now_ms);
        let counts = Counts::read(server, &census) - *server.baseline.lock();
        let measured = Measured { server, census, counts, now_ms };
        for section in chosen {
            page.header(section.name);
            (section.write)(&measured, &mut page);
        }
    }
    page.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_for_people() {
        for (bytes, expected) in
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_600_000, "1.53M"), (1 << 50, "1.00P")]
        {
            assert_eq!(human(bytes), expected);
        }
    }
}
