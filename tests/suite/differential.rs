//! Random commands to our server and to Redis: they must answer alike.
//!
//! Commands are drawn from argument trees and templates (`tests::generate`, files in
//! `tests/differential`), sent in pipelines that are cut anywhere, over one connection or over
//! several whose databases are their own, and compared reply by reply; now and then all keys are
//! compared too. `DIFFERENTIAL_SEED` and `DIFFERENTIAL_COMMANDS` in the environment make other and
//! longer runs.

mod lanes;
mod shrink;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tests::generate::{Generator, commands_of, templates};
use tests::judge::{How, Judge};
use tests::pools::{Pools, Words};
use tests::random::Random;
use tests::resp::{Value, encode};
use tests::server::Server;
use tests::tree::{self, Call};

use lanes::{Pair, Run};

/// Commands that make and look at keys: what others are mixed with where they alone are compared.
const SUPPORT: &[&str] = &[
    "set",
    "get",
    "append",
    "incr",
    "del",
    "expireat",
    "pexpiretime",
    "mget",
    "hset",
    "hgetall",
    "hlen",
    "hincrby",
];
/// Share of all commands that goes to each newer server, and to none.
const SIDE_SHARE: usize = 8;

/// What is sent to connections that may not want replies.
const QUIET: &[&str] = &[
    "CLIENT REPLY OFF",
    "CLIENT REPLY ON",
    "CLIENT REPLY SKIP",
    "CLIENT REPLY SKIP",
    "client reply on",
    "CLIENT REPLY",
    "CLIENT REPLY NO",
    "CLIENT REPLY ON OFF",
    "RESET",
    "PING",
    "ECHO x",
    "GET nokey",
    "GET",
    "NOSUCH",
    "HELLO 4",
];

/// A server to compare with.
pub struct Reference {
    /// What the files call it.
    pub name: &'static str,
    program: String,
}

impl Reference {
    /// Debian's Redis, by which we go.
    pub fn redis() -> Self {
        Self { name: "redis-7.0", program: "redis-server".into() }
    }

    /// Newer ones, for what that one does not have, where `PEERS` says that they are there.
    fn newer() -> Vec<Self> {
        let peers = std::env::var("PEERS").unwrap_or_default();
        let mut found = Vec::new();
        for peer in peers.split(';') {
            let Some((name, command)) = peer.split_once('=') else { continue };
            let name = match name.trim() {
                "redis8" => "redis-8.6",
                "valkey9" => "valkey-9.1",
                _ => continue,
            };
            let program = command.split_whitespace().next().unwrap_or_default().to_owned();
            found.push(Self { name, program });
        }
        found
    }

    /// Starts it.
    pub fn start(&self) -> Server {
        Server::start_other(&self.program, &[])
    }
}

/// The files of values and rules.
pub struct Files {
    pools: Pools,
    /// What may differ.
    pub judge: Judge,
    templates: String,
}

impl Files {
    /// Reads them.
    pub fn read() -> Self {
        let read = |name: &str| {
            let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("differential");
            std::fs::read_to_string(directory.join(name)).unwrap()
        };
        Self {
            pools: Pools::parse(&read("values.txt")),
            judge: Judge::parse(&read("commands.txt"), &read("allowed.txt")),
            templates: read("templates.txt"),
        }
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    from_environment("DIFFERENTIAL_SEED", 1)
}

fn commands() -> usize {
    from_environment("DIFFERENTIAL_COMMANDS", 200_000) as usize
}

/// Our commands that a server knows, with what it knows of their arguments.
pub fn shared(ours: &BTreeMap<String, Call>, theirs: &BTreeMap<String, Call>) -> Vec<Call> {
    let mut calls = Vec::new();
    for call in ours.values() {
        let Some(other) = theirs.get(&call.name) else { continue };
        let mut call = call.clone();
        call.arguments = match (&call.arguments, &other.arguments) {
            (Some(own), Some(known)) => Some(tree::prune(own, &tree::tokens(known))),
            (Some(own), None) => Some(own.clone()),
            (None, known) => known.clone(),
        };
        calls.push(call);
    }
    calls
}

/// Commands that one of two servers has, and the other has not.
fn foreign(ours: &BTreeMap<String, Call>, theirs: &BTreeMap<String, Call>) -> BTreeSet<String> {
    let names = |calls: &BTreeMap<String, Call>| calls.keys().cloned().collect::<BTreeSet<_>>();
    names(ours).symmetric_difference(&names(theirs)).cloned().collect()
}

/// The templates whose commands are among these, or that name no command.
fn of_commands(all: Vec<Words>, wanted: &BTreeSet<String>) -> Vec<Words> {
    let is_wanted = |template: &Words| {
        let name = commands_of(std::slice::from_ref(template));
        name.iter().any(|name| wanted.contains(name))
    };
    all.into_iter().filter(is_wanted).collect()
}

fn check(run: &Run<'_>) {
    let report = run.report();
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn random_commands_are_answered_as_redis_does() {
    let files = Files::read();
    let reference = Reference::redis();
    let pair = Pair { ours: Server::start(&[]), theirs: reference.start(), name: reference.name };
    let ours = tree::calls(&mut pair.ours.connect());
    let theirs = tree::calls(&mut pair.theirs.connect());
    let calls = shared(&ours, &theirs);
    let templates = templates(&files.templates, reference.name);
    let generator = Generator::new(&files.pools, &files.judge, templates, &calls)
        .without(foreign(&ours, &theirs));
    let mut run = Run::new(&pair, &files.judge, &generator, seed());
    run.go(commands() - commands() / SIDE_SHARE);
    run.tell(&calls);
    check(&run);
}

#[test]
fn newer_commands_are_answered_as_newer_servers_do() {
    let files = Files::read();
    let old = tree::calls(&mut Reference::redis().start().connect());
    for reference in Reference::newer() {
        let (ours, theirs) = (Server::start(&[]), reference.start());
        let pair = Pair { ours, theirs, name: reference.name };
        let ours = tree::calls(&mut pair.ours.connect());
        let theirs = tree::calls(&mut pair.theirs.connect());
        let is_wanted =
            |call: &Call| !old.contains_key(&call.name) || SUPPORT.contains(&call.name.as_str());
        let calls: Vec<Call> = shared(&ours, &theirs).into_iter().filter(is_wanted).collect();
        let wanted: BTreeSet<String> = calls.iter().map(|call| call.name.clone()).collect();
        let templates = of_commands(templates(&files.templates, reference.name), &wanted);
        let generator = Generator::new(&files.pools, &files.judge, templates, &calls)
            .without(foreign(&ours, &theirs));
        let mut run = Run::new(&pair, &files.judge, &generator, seed());
        run.go(commands() / SIDE_SHARE);
        run.tell(&calls);
        check(&run);
    }
}

#[test]
fn every_command_gets_one_reply_whatever_it_is_told() {
    let files = Files::read();
    let server = Server::start(&[]);
    let own = tree::calls(&mut server.connect());
    let old = tree::calls(&mut Reference::redis().start().connect());
    let calls: Vec<Call> = own
        .values()
        .map(|call| {
            let known = old.get(&call.name).and_then(|call| call.arguments.clone());
            Call { arguments: call.arguments.clone().or(known), ..call.clone() }
        })
        .collect();
    let templates = templates(&files.templates, "every");
    let generator = Generator::new(&files.pools, &files.judge, templates, &calls);
    lanes::crowd(&server, &generator, seed(), commands() / SIDE_SHARE);
}

#[test]
fn connections_that_want_no_replies_get_as_few_as_from_redis() {
    let (ours, theirs) = (Server::start(&[]), Reference::redis().start());
    let mut random = Random::new(seed());
    for round in 0..200 {
        let (mut mine, mut other) = (ours.connect(), theirs.connect());
        if round % 2 == 0 {
            (mine, other) = (ours.connect_resp3(), theirs.connect_resp3());
        }
        let (mut stream, mut last) = (Vec::new(), "");
        for _ in 0..random.below(30) {
            let line = *random.pick(QUIET);
            // Redis leaves out the reply to RESET then, and we do not.
            if line == "RESET" && last.ends_with("SKIP") {
                continue;
            }
            last = line;
            stream.extend(encode(&line.split(' ').collect::<Vec<_>>()));
        }
        stream.extend(encode(&["CLIENT", "REPLY", "ON"]));
        stream.extend(encode(&["ECHO", "the end"]));
        let replies = [&mut mine, &mut other].map(|client| {
            client.send(&stream);
            let mut replies = vec![client.read()];
            while replies.last() != Some(&Value::from("the end")) {
                replies.push(client.read());
            }
            replies
        });
        let sent = String::from_utf8_lossy(&stream).replace("\r\n", " ");
        let [mine, other] = replies.map(|replies| Value::Array(replies).to_string());
        assert_eq!(mine, other, "seed {}: {sent}", seed());
    }
}

#[test]
fn every_command_has_a_generator() {
    let files = Files::read();
    let own = tree::calls(&mut Server::start(&[]).connect());
    let theirs = tree::calls(&mut Reference::redis().start().connect());
    let templated = commands_of(&templates(&files.templates, "every"));
    let mut report = String::new();
    for (name, call) in own.iter().filter(|(_, call)| !call.is_container) {
        let is_drawn = call.is_described() || theirs.get(name).is_some_and(Call::is_described);
        let is_templated = templated.contains(name);
        let drawn = match files.judge.how_of(name) {
            How::Never => true,
            How::Templates => is_templated,
            _ => is_drawn || is_templated,
        };
        if !drawn {
            let _ = writeln!(report, "{name}: no argument tree, no line in templates.txt");
        }
    }
    for name in files.judge.named() {
        if !own.contains_key(name) {
            let _ = writeln!(report, "{name}: in commands.txt, but no command of ours");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}
