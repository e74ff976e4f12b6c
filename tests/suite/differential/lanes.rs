//! Connections in pairs, one to us and one to the other server, that get the same commands.
//!
//! An epoch begins with empty databases and ends with a comparison of all keys. In every other one
//! there is one lane, which may do anything; else there are several, which have databases of their
//! own, so that no interleaving on our threads can change what each of them should be answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tests::client::Client;
use tests::generate::{Generator, Place, lower};
use tests::judge::{Judge, Verdict};
use tests::notation::quote;
use tests::pools::Words;
use tests::random::Random;
use tests::resp::{Value, encode};
use tests::server::Server;
use tests::tree::Call;

use super::{shrink, state};

/// Commands of a lane in one pipeline.
const PIPELINE: usize = 60;
/// Pipelines of a lane in an epoch.
const ROUNDS: usize = 16;
/// Lanes where there are several.
const LANES: u32 = 4;
/// Databases of a server.
const DATABASES: u32 = 16;
/// One command in so many is sent inline, if it can be.
const INLINE_SHARE: usize = 8;
/// The longest inline command.
const INLINE_MAX: usize = 30_000;
/// Failures after which a run ends.
const FAILURES_MAX: usize = 10;
/// Characters of a reply that a failure shows.
const SHOWN_MAX: usize = 600;

/// Ours and the other server.
pub struct Pair {
    /// Ours.
    pub ours: Server,
    /// The other.
    pub theirs: Server,
    /// What the files call the other.
    pub name: &'static str,
}

impl Pair {
    /// Empties all databases of both.
    pub fn flush(&self) {
        for server in [&self.ours, &self.theirs] {
            assert_eq!(server.connect().run("FLUSHALL"), Value::Simple("OK".into()));
        }
    }
}

/// A command as it is sent.
#[derive(Clone)]
pub struct Sent {
    words: Words,
    inline: bool,
}

impl Sent {
    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        if !self.inline {
            return encode(&self.words);
        }
        let quoted: Vec<String> = self.words.iter().map(|word| quote(word)).collect();
        (quoted.join(" ") + "\r\n").into_bytes()
    }

    /// Whether nothing behind it is answered.
    pub fn ends_connection(&self) -> bool {
        self.name() == "quit"
    }

    fn name(&self) -> String {
        self.words.first().map(|word| lower(word)).unwrap_or_default()
    }
}

/// What a lane is like.
#[derive(Clone)]
pub struct Setting {
    /// Whether it begins in RESP3.
    pub resp3: bool,
    /// Its databases.
    pub databases: Vec<u32>,
}

impl Setting {
    fn start(&self) -> Vec<Sent> {
        let mut lines = Vec::new();
        if self.resp3 {
            lines.push("HELLO 3".to_owned());
        }
        if self.databases[0] != 0 {
            lines.push(format!("SELECT {}", self.databases[0]));
        }
        let words = |line: String| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        lines.into_iter().map(|line| Sent { words: words(line), inline: false }).collect()
    }
}

/// A connection to each of the two servers.
pub struct Lane {
    /// To ours.
    pub ours: Client,
    /// To the other.
    pub theirs: Client,
    setting: Setting,
    history: Vec<Sent>,
    batch: Vec<Sent>,
    /// Whether the two servers have parted already in this epoch.
    pub parted: bool,
}

impl Lane {
    /// Connects and says hello.
    pub fn connect(pair: &Pair, setting: Setting) -> Self {
        let (mut ours, mut theirs) = (pair.ours.connect(), pair.theirs.connect());
        for sent in setting.start() {
            for client in [&mut ours, &mut theirs] {
                assert!(!matches!(client.command(&sent.words), Value::Error(_)));
            }
        }
        Self { ours, theirs, setting, history: Vec::new(), batch: Vec::new(), parted: false }
    }

    /// Reads both replies to a command; what is wrong with them, if anything is.
    pub fn difference(&mut self, pair: &Pair, judge: &Judge, sent: &Sent) -> Option<String> {
        self.compare(pair, judge, sent).1
    }

    /// Our reply to a command, and what is wrong with it.
    fn compare(
        &mut self,
        pair: &Pair,
        judge: &Judge,
        sent: &Sent,
    ) -> (Option<Value>, Option<String>) {
        let (ours, theirs) = (self.ours.try_read(), self.theirs.try_read());
        let verdict = match (&ours, &theirs) {
            (Some(ours), Some(theirs)) => judge.compare(pair.name, &sent.words, ours, theirs),
            _ => Verdict::Wrong,
        };
        self.parted |= verdict == Verdict::Parted;
        let text = format!("ours:  {}\n{}: {}", shown(&ours), pair.name, shown(&theirs));
        let problem = (verdict == Verdict::Wrong).then_some(text).or_else(|| {
            let is_open = sent.ends_connection()
                && !(is_at_end(&mut self.ours) && is_at_end(&mut self.theirs));
            is_open.then(|| "not closed behind QUIT".into())
        });
        (ours, problem)
    }

    fn draw(&mut self, generator: &Generator<'_>, random: &mut Random, alone: bool) {
        let place = Place { databases: &self.setting.databases, alone };
        while self.batch.len() < PIPELINE {
            let words = generator.draw(random, place);
            let inline = random.below(INLINE_SHARE) == 0
                && words.iter().map(Vec::len).sum::<usize>() < INLINE_MAX;
            let sent = Sent { words, inline };
            let (ends, resets) = (sent.ends_connection(), sent.name() == "reset");
            self.batch.push(sent);
            if ends {
                break;
            }
            if resets {
                self.batch.extend(self.setting.start());
            }
        }
    }
}

fn is_at_end(client: &mut Client) -> bool {
    client.try_bytes_to_end().is_some_and(|rest| rest.is_empty())
}

fn shown(reply: &Option<Value>) -> String {
    let text = reply.as_ref().map_or("(closed)".into(), Value::to_string);
    text.chars().take(SHOWN_MAX).collect()
}

/// Where a stream is cut: nowhere, in a few places, or all over its beginning.
fn pieces(bytes: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
    let mut cuts = BTreeSet::from([bytes.len()]);
    match random.below(8) {
        0 | 1 => {}
        2 => cuts.extend((1..bytes.len().min(150)).filter(|_| random.below(3) > 0)),
        _ => cuts.extend((0..=random.below(6)).map(|_| 1 + random.below(bytes.len()))),
    }
    let mut start = 0;
    let piece = |end: usize| bytes[std::mem::replace(&mut start, end)..end].to_vec();
    cuts.into_iter().filter(|&end| end <= bytes.len()).map(piece).collect()
}

/// Sends streams to connections, piece by piece, in a random order that keeps that of each.
fn send_mixed(clients: &mut [&mut Client], streams: Vec<Vec<u8>>, random: &mut Random) {
    let mut waiting: Vec<Vec<Vec<u8>>> =
        streams.iter().map(|stream| pieces(stream, random)).collect();
    waiting.iter_mut().for_each(|pieces| pieces.reverse());
    loop {
        let open: Vec<usize> = (0..waiting.len()).filter(|&at| !waiting[at].is_empty()).collect();
        if open.is_empty() {
            return;
        }
        let at = *random.pick(&open);
        if let Some(piece) = waiting[at].pop() {
            // A connection that was closed shows when its replies are read.
            let _ = clients[at].try_send(&piece);
        }
    }
}

struct Failure {
    epoch: u64,
    lane: usize,
    setting: Setting,
    history: Vec<Sent>,
    text: String,
}

/// A run: epochs, and what was found wrong in them.
pub struct Run<'a> {
    pair: &'a Pair,
    judge: &'a Judge,
    generator: &'a Generator<'a>,
    seed: u64,
    epoch: u64,
    sent: usize,
    failures: BTreeMap<String, Failure>,
    /// By command: calls, and those that were not answered with an error.
    counts: BTreeMap<String, (usize, usize)>,
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub fn new(pair: &'a Pair, judge: &'a Judge, generator: &'a Generator<'a>, seed: u64) -> Self {
        let (failures, counts) = (BTreeMap::new(), BTreeMap::new());
        Self { pair, judge, generator, seed, epoch: 0, sent: 0, failures, counts }
    }

    /// Sends so many commands, or fewer if too much is wrong.
    pub fn go(&mut self, commands: usize) {
        while self.sent < commands && self.failures.len() < FAILURES_MAX {
            self.one_epoch();
            self.epoch += 1;
        }
    }

    fn one_epoch(&mut self) {
        let mut random = Random::new(self.seed.wrapping_mul(1_000_003).wrapping_add(self.epoch));
        let alone = self.epoch.is_multiple_of(2);
        self.pair.flush();
        let mut lanes: Vec<Lane> = if alone {
            let resp3 = self.epoch.is_multiple_of(4);
            let setting = Setting { resp3, databases: (0..DATABASES).collect() };
            vec![Lane::connect(self.pair, setting)]
        } else {
            let share = DATABASES / LANES;
            let setting = |lane: u32| Setting {
                resp3: lane.is_multiple_of(2),
                databases: (lane * share..(lane + 1) * share).collect(),
            };
            (0..LANES).map(|lane| Lane::connect(self.pair, setting(lane))).collect()
        };
        for _ in 0..ROUNDS {
            self.one_round(&mut lanes, alone, &mut random);
        }
        for (index, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| !lane.parted) {
            let (mut ours, mut theirs) = (self.pair.ours.connect(), self.pair.theirs.connect());
            let text = state::compare(&mut ours, &mut theirs, &lane.setting.databases);
            if !text.is_empty() {
                self.fail(index, lane, "the databases".into(), text);
            }
        }
    }

    fn one_round(&mut self, lanes: &mut [Lane], alone: bool, random: &mut Random) {
        let mut streams = Vec::new();
        for lane in &mut *lanes {
            lane.draw(self.generator, random, alone);
            let stream: Vec<u8> = lane.batch.iter().flat_map(Sent::bytes).collect();
            let _ = lane.theirs.try_send(&stream);
            streams.push(stream);
        }
        let mut ours: Vec<&mut Client> = lanes.iter_mut().map(|lane| &mut lane.ours).collect();
        send_mixed(&mut ours, streams, random);
        for (index, lane) in lanes.iter_mut().enumerate() {
            for sent in std::mem::take(&mut lane.batch) {
                self.sent += 1;
                lane.history.push(sent.clone());
                let (reply, problem) = lane.compare(self.pair, self.judge, &sent);
                self.count(&sent, &reply);
                if let Some(text) = problem {
                    let kind = |text: &str| text.chars().take(60).collect::<String>();
                    let key = format!("{} {}", self.name(&sent), kind(&text));
                    if !lane.parted {
                        self.fail(index, lane, key, text);
                    }
                }
                if sent.ends_connection() || reply.is_none() {
                    let fresh = Lane::connect(self.pair, lane.setting.clone());
                    (lane.ours, lane.theirs) = (fresh.ours, fresh.theirs);
                }
                if reply.is_none() {
                    break;
                }
            }
        }
    }

    fn name(&self, sent: &Sent) -> String {
        let first = sent.name();
        let second = sent.words.get(1).map(|word| lower(word)).unwrap_or_default();
        if matches!(first.as_str(), "config" | "client" | "command" | "object" | "memory") {
            format!("{first}|{second}")
        } else {
            first
        }
    }

    fn count(&mut self, sent: &Sent, reply: &Option<Value>) {
        let name = self.name(sent);
        let (calls, good) = self.counts.entry(name).or_default();
        *calls += 1;
        *good += usize::from(!matches!(reply, Some(Value::Error(_))));
    }

    fn fail(&mut self, index: usize, lane: &mut Lane, key: String, text: String) {
        lane.parted = true;
        let failure = Failure {
            epoch: self.epoch,
            lane: index,
            setting: lane.setting.clone(),
            history: lane.history.clone(),
            text,
        };
        self.failures.entry(key).or_insert(failure);
    }

    /// What is wrong, each with the shortest history that shows it.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for failure in self.failures.values() {
            let Failure { epoch, lane, setting, history, text } = failure;
            let protocol = if setting.resp3 { 3 } else { 2 };
            let seed = self.seed;
            let _ = writeln!(report, "seed {seed}, epoch {epoch}, lane {lane}, RESP{protocol}:");
            let shrunk = shrink::shrink(self.pair, self.judge, setting, history);
            let (lines, text) = shrunk.unwrap_or_else(|| {
                let _ = writeln!(report, "(not when played again; these are the last commands)");
                let start = history.len().saturating_sub(PIPELINE);
                (history[start..].to_vec(), text.clone())
            });
            for sent in lines {
                let words: Vec<String> = sent.words.iter().map(|word| quote(word)).collect();
                let inline = if sent.inline { " (inline)" } else { "" };
                let _ = writeln!(report, "  > {}{inline}", words.join(" "));
            }
            let _ = writeln!(report, "{text}\n");
        }
        report
    }

    /// Tells what the run did not do: commands that were never answered well, rules never needed.
    pub fn tell(&self, calls: &[Call]) {
        let good = |name: &str| self.counts.get(name).map_or(0, |(_, good)| *good);
        let idle: Vec<&str> = calls
            .iter()
            .map(|call| call.name.as_str())
            .filter(|name| good(name) == 0 && !name.contains('|'))
            .collect();
        eprintln!("{} commands beside {}", self.sent, self.pair.name);
        if !idle.is_empty() {
            eprintln!("never answered but with errors: {idle:?}");
        }
        for reason in self.judge.unused(self.pair.name) {
            eprintln!("a rule that was not needed: {reason}");
        }
    }
}

/// Many commands over several connections that share all databases. Nobody knows what the replies
/// should be, but there must be one to each, and the server must live.
pub fn crowd(server: &Server, generator: &Generator<'_>, seed: u64, commands: usize) {
    let mut random = Random::new(seed);
    let databases: Vec<u32> = (0..DATABASES).collect();
    let place = Place { databases: &databases, alone: true };
    let connect = |lane: u32| {
        if lane.is_multiple_of(2) { server.connect_resp3() } else { server.connect() }
    };
    let mut clients: Vec<Client> = (0..LANES).map(connect).collect();
    for round in 0..commands / (PIPELINE * LANES as usize) {
        let mut batches = Vec::new();
        for _ in 0..LANES {
            let mut batch: Vec<Sent> = (0..PIPELINE)
                .map(|_| Sent { words: generator.draw(&mut random, place), inline: false })
                .filter(|sent| !sent.ends_connection())
                .collect();
            let marker = vec![b"ECHO".to_vec(), format!("round {round}").into_bytes()];
            batch.push(Sent { words: marker, inline: false });
            batches.push(batch);
        }
        let streams: Vec<Vec<u8>> =
            batches.iter().map(|batch| batch.iter().flat_map(Sent::bytes).collect()).collect();
        send_mixed(&mut clients.iter_mut().collect::<Vec<_>>(), streams, &mut random);
        for (client, batch) in clients.iter_mut().zip(&batches) {
            let mut last = Value::Null;
            for sent in batch {
                last = client.try_read().unwrap_or_else(|| {
                    let words: Vec<String> = sent.words.iter().map(|word| quote(word)).collect();
                    panic!("seed {seed}, round {round}: no reply to {}", words.join(" "))
                });
            }
            assert_eq!(last, Value::from(format!("round {round}").as_str()), "seed {seed}");
        }
    }
}
