//! Every number that a command takes, at every extreme, in a call that is right but for it.

use std::fmt::Write as _;

use tests::client::Client;
use tests::generate::{Place, tame};
use tests::judge::{How, Verdict};
use tests::random::Random;
use tests::resp::{Value, encode};
use tests::server::Server;
use tests::tree::{self, Argument, Call};

use crate::differential::{Files, Reference, shared};

/// What should be a number.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "-0",
    "+1",
    "01",
    "",
    " 1",
    "1 ",
    "abc",
    "0x10",
    "1e3",
    "1.0",
    "1.5",
    "-1.5",
    ".",
    "-",
    "+",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "Infinity",
    "1e308",
    "1e309",
    "1e4932",
    "1e-400",
    "1e-5000",
    "0x1p-1074",
    "127",
    "128",
    "-129",
    "255",
    "256",
    "32768",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775",
    "9223372036854776",
    "-9223372036854776",
    "4611686018427387904",
    "9223372036854775806",
    "9223372036854775807",
    "-9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "99999999999999999999999999999999999999999999999999",
    "1\0",
    "1\r\n",
    "\u{661}",
];

/// What the keys n and m hold before a call: a string, or what commands of the group work on.
const HELD: &[(&str, &str, &str)] = &[
    ("", "SET n 10", "SET m hello"),
    ("list", "RPUSH n v 10 v 1 v", "RPUSH m v 1"),
    ("set", "SADD n v 10 1", "SADD m v 1"),
    ("hash", "HSET n v 10 1 v", "HSET m v 1"),
    ("sorted-set", "ZADD n 1 v 10 10 3 1", "ZADD m 2 v"),
    ("stream", "XADD n 10-1 v 10 1 v", "XADD m 1-1 v 1"),
];

/// What makes the keys hold that; replies are of no interest.
fn preparation(group: &str) -> [&'static str; 4] {
    let held = HELD.iter().find(|held| held.0 == group).unwrap_or(&HELD[0]);
    ["SELECT 0", "DEL n m", held.1, held.2]
}

fn is_number(argument: &Argument) -> bool {
    matches!(argument.kind.as_str(), "integer" | "double" | "unix-time")
}

/// Numbers in a tree.
fn numbers(arguments: &[Argument]) -> usize {
    arguments.iter().map(numbers_of).sum()
}

fn numbers_of(argument: &Argument) -> usize {
    usize::from(is_number(argument)) + numbers(&argument.arguments)
}

/// A call in the making: the target is one of the tree's numbers, counted from the first.
struct Form {
    words: Vec<String>,
    target: usize,
    seen: usize,
    keys: usize,
    /// Where the target stands.
    at: Option<usize>,
}

impl Form {
    fn sequence(&mut self, arguments: &[Argument]) {
        for argument in arguments {
            let count = numbers_of(argument);
            let has_target = (self.seen..self.seen + count).contains(&self.target);
            if argument.optional && !has_target {
                self.seen += count;
            } else {
                self.add(argument, has_target);
            }
        }
    }

    fn add(&mut self, argument: &Argument, has_target: bool) {
        self.words.extend(argument.token.clone());
        match argument.kind.as_str() {
            "pure-token" => {}
            "oneof" => {
                let mut chosen = false;
                for branch in &argument.arguments {
                    let count = numbers_of(branch);
                    let wanted = (self.seen..self.seen + count).contains(&self.target);
                    if wanted || !has_target && !chosen {
                        self.add(branch, wanted);
                        chosen = true;
                    } else {
                        self.seen += count;
                    }
                }
            }
            "block" => self.sequence(&argument.arguments),
            "key" => {
                self.words.push(["n", "m"][self.keys % 2].into());
                self.keys += 1;
            }
            "pattern" => self.words.push("*".into()),
            _ if is_number(argument) => {
                if self.seen == self.target {
                    self.at = Some(self.words.len());
                }
                self.seen += 1;
                self.words.push("1".into());
            }
            _ => self.words.push("v".into()),
        }
    }
}

/// The calls of a command that are right but for one number, which stands at the index given.
fn forms(call: &Call) -> Vec<(Vec<String>, usize)> {
    let arguments = call.arguments.as_deref().unwrap_or_default();
    let form = |target| {
        let words = call.name_words();
        let mut form = Form { words, target, seen: 0, keys: 0, at: None };
        form.sequence(arguments);
        form.at.map(|at| (form.words, at))
    };
    (0..numbers(arguments)).filter_map(form).collect()
}

/// Reads so many replies; the last one.
fn last_of(client: &mut Client, count: usize) -> Value {
    (1..count).for_each(|_| drop(client.read()));
    client.read()
}

#[test]
fn every_number_of_every_command_at_every_extreme() {
    let files = Files::read();
    let reference = Reference::redis();
    let (ours, theirs) = (Server::start(&[]), reference.start());
    let own = tree::calls(&mut ours.connect());
    let known = tree::calls(&mut theirs.connect());
    let mut calls = shared(&own, &known);
    let is_new = |call: &&Call| !known.contains_key(&call.name) && call.arguments.is_some();
    calls.extend(own.values().filter(is_new).cloned());
    let databases: Vec<u32> = (0..16).collect();
    let (mut random, place) = (Random::new(1), Place { databases: &databases, alone: true });
    let (mut report, mut tried) = (String::new(), 0);
    for resp3 in [false, true] {
        let connect = |server: &Server| {
            if resp3 { server.connect_resp3() } else { server.connect() }
        };
        let (mut mine, mut other) = (connect(&ours), connect(&theirs));
        for call in &calls {
            let is_known = known.contains_key(&call.name);
            if matches!(files.judge.how_of(&call.name), How::Never | How::Templates) {
                continue;
            }
            for (form, at) in forms(call) {
                for number in NUMBERS {
                    let mut words = form.clone();
                    words[at] = (*number).to_owned();
                    let mut words: Vec<Vec<u8>> =
                        words.into_iter().map(String::into_bytes).collect();
                    tame(&mut words, &mut random, place);
                    let before = preparation(&call.group).map(|line| line.split(' '));
                    let before = before.map(|words| encode(&words.collect::<Vec<_>>()));
                    let stream = [before.concat(), encode(&words)].concat();
                    mine.send(&stream);
                    let ours = last_of(&mut mine, before.len() + 1);
                    tried += 1;
                    if !is_known {
                        continue;
                    }
                    other.send(&stream);
                    let theirs = last_of(&mut other, before.len() + 1);
                    let verdict = files.judge.compare(reference.name, &words, &ours, &theirs);
                    if verdict == Verdict::Wrong {
                        let line: Vec<String> =
                            words.iter().map(|word| tests::notation::quote(word)).collect();
                        let line = line.join(" ");
                        let _ = writeln!(report, "> {line}\n{ours}\nRedis: {theirs}");
                    }
                }
            }
        }
        assert_eq!(mine.run("PING"), Value::Simple("PONG".into()));
    }
    eprintln!("{tried} numbers");
    assert!(tried > 2000, "only {tried} numbers");
    assert!(report.is_empty(), "\n{report}");
}
