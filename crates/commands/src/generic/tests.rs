//! Commands on keys of any type, and the world in which commands of other families are tried too.

use keyspace::{Keyspace, shards};
use protocol::reply::Reply;
use protocol::request::Arg;

use crate::context::{Args, Context, KeyAt, Reads, Shards};
use crate::settings::Settings;
use crate::spec::Flags;
use crate::{Failure, families};

static SETTINGS: Settings = Settings::new();
pub(crate) const NOW: u64 = 1_790_000_000_000;

/// A keyspace and one client, with the time in hand.
pub(crate) struct World {
    pub(crate) keyspace: &'static Keyspace,
    pub(crate) now_ms: u64,
    pub(crate) db: u16,
    pub(crate) may_wait: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { keyspace: Keyspace::leak([1, 2]), now_ms: NOW, db: 0, may_wait: true }
    }

    /// Sets keys by hand, because SET is another family's.
    pub(crate) fn set(&self, key: &str, value: &str, expires_at: Option<u64>) {
        let key = self.keyspace.key(key.as_bytes());
        let mut shard = self.keyspace.borrow_blocking(key.shard());
        let value = values::Value::of(value.as_bytes());
        shard.db(self.db).set(&key, value, expires_at, self.now_ms);
    }

    pub(crate) fn get(&self, key: &str) -> Option<(Vec<u8>, Option<u64>, bool)> {
        let key = self.keyspace.key(key.as_bytes());
        let mut shard = self.keyspace.borrow_blocking(key.shard());
        let entry = shard.db(self.db).get(&key, self.now_ms)?;
        Some((entry.string()?.to_vec(), entry.expires_at(), entry.is_sticky()))
    }

    /// Runs a command of words without spaces; the reply with `|` for line ends.
    pub(crate) fn run(&self, line: &str) -> String {
        match self.try_run(line) {
            Ok(reply) => String::from_utf8_lossy(&reply).replace("\r\n", "|"),
            Err(failure) => format!("-{failure}|"),
        }
    }

    pub(crate) fn try_run(&self, line: &str) -> Result<Vec<u8>, Failure> {
        self.run_noting(line, |_| ())
    }

    /// Why a command was not run at once where it wanted other shards.
    pub(crate) fn refusals(&self, line: &str) -> Vec<Failure> {
        let mut refusals = Vec::new();
        let outcome = self.run_noting(line, |refusal| refusals.push(refusal.clone()));
        assert!(outcome.is_ok(), "{line}: {outcome:?}");
        refusals
    }

    fn run_noting(
        &self,
        line: &str,
        mut refused: impl FnMut(&Failure),
    ) -> Result<Vec<u8>, Failure> {
        let mut args = Vec::new();
        let mut start = 0;
        for word in line.split(' ') {
            args.push(Arg { start, len: word.len() as u32 });
            start += word.len() as u32 + 1;
        }
        let args = Args::new(line.as_bytes(), &args);
        let name = line.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        let command = families().find(|command| command.spec.name == name).expect("a command");
        assert!(command.spec.accepts(args.len()), "arity of {line}");
        let mut keys = Vec::new();
        for spec in command.spec.keys {
            spec.indexes(
                args.len(),
                |index| args.get(index),
                |index| {
                    let key = self.keyspace.key(args.get(index));
                    keys.push(KeyAt { word: index as u32, slot: key.slot, hash: key.hash });
                },
            );
        }
        let mut numbers: Vec<u16> = keys.iter().map(KeyAt::shard).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if command.spec.flags.contains(Flags::WHOLE_KEYSPACE) {
            numbers = shards::all_shards().to_vec();
        }
        let mut may_wait = self.may_wait;
        let mut reads = Reads::default();
        loop {
            let mut set = self.keyspace.try_borrow_set(&numbers).expect("free shards");
            let mut out = Vec::new();
            let mut ctx = Context {
                keyspace: self.keyspace,
                args,
                block: None,
                keys: &keys,
                shards: if set.is_empty() { Shards::None } else { Shards::Set(&mut set) },
                reads,
                reply: Reply::new(&mut out, false),
                now_ms: self.now_ms,
                db: self.db,
                name: command.spec.name,
                settings: &SETTINGS,
                may_wait,
            };
            let outcome = (command.run)(&mut ctx);
            reads = ctx.reads.again();
            assert!(outcome.is_ok() || ctx.reply.is_empty(), "a reply and a failure for {line}");
            outcome.as_ref().err().into_iter().for_each(&mut refused);
            match outcome {
                Err(Failure::Needs(wanted)) => numbers = wanted,
                Err(Failure::Walk) => (numbers, may_wait) = (Vec::new(), true),
                outcome => return outcome.map(|()| out),
            }
        }
    }

    /// Runs commands and compares their replies, given behind ` => `.
    fn check(&self, transcript: &str) {
        for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (command, expected) = line.split_once(" => ").expect("a command and its reply");
            assert_eq!(self.run(command), expected, "{command}");
        }
    }
}

#[test]
fn rows_are_sorted() {
    for rows in [super::COMMANDS, crate::expiry::COMMANDS, crate::scan::COMMANDS] {
        assert!(rows.is_sorted_by_key(|row| row.spec.name));
    }
}

#[test]
fn keys_are_counted_deleted_and_named() {
    let world = World::new();
    world.set("a", "1", None);
    world.set("b", "two", None);
    world.set("dead", "x", Some(NOW));
    world.check(
        "EXISTS a b a none dead => :3|
         TOUCH a b none => :2|
         TYPE a => +string|
         TYPE none => +none|
         STICK a a none => :1|
         STICK a => :0|
         DEL a a none dead => :1|
         UNLINK b b => :1|
         EXISTS a b => :0|
         DBSIZE => :0|",
    );
}

#[test]
fn reads_are_hits_or_misses() {
    let world = World::new();
    world.set("a", "1", None);
    for line in ["EXISTS a none", "TYPE a", "TTL none", "TOUCH a", "EXPIRE a 9", "RENAME a b"] {
        world.run(line);
    }
    let mut sum = keyspace::db::Stats::default();
    for &number in shards::all_shards() {
        sum += world.keyspace.borrow_blocking(number).db(0).stats;
    }
    assert_eq!((sum.hits, sum.misses), (3, 2));
}

#[test]
fn renaming_moves_value_expiry_and_stickiness() {
    let world = World::new();
    let long = "v".repeat(100_000);
    world.set("a", &long, Some(NOW + 5));
    world.set("b", "old", None);
    world.check(
        "STICK a => :1|
         RENAME none b => -ERR no such key|
         RENAME none none => -ERR no such key|
         RENAME a a => +OK|
         RENAMENX a a => :0|
         RENAMENX a b => :0|
         RENAME a b => +OK|
         EXISTS a => :0|
         RENAMENX b {b}c => :1|
         PTTL {b}c => :5|
         DBSIZE => :1|",
    );
    assert_eq!(world.get("{b}c"), Some((long.into_bytes(), Some(NOW + 5), true)));
}

#[test]
fn copies_and_moves_go_where_they_should() {
    let mut world = World::new();
    world.set("a", "1", Some(NOW + 5));
    world.set("b", "2", None);
    world.check(
        "COPY a a => -ERR source and destination objects are the same|
         COPY a a DB 0 => -ERR source and destination objects are the same|
         COPY a b DB => -ERR syntax error|
         COPY a b FOO => -ERR syntax error|
         COPY a b DB x => -ERR value is not an integer or out of range|
         COPY a b DB 16 => -ERR DB index is out of range|
         COPY a b DB -1 => -ERR DB index is out of range|
         COPY a b DB 2147483648 => -ERR value is out of range, \
         value must between -2147483648 and 2147483647|
         COPY none b REPLACE => :0|
         COPY a b => :0|
         COPY a b replace => :1|
         PTTL b => :5|
         COPY a a DB 7 DB 3 => :1|
         COPY a a DB 3 => :0|
         MOVE a x => -ERR value is not an integer or out of range|
         MOVE a 99 => -ERR DB index is out of range|
         MOVE none 0 => -ERR source and destination objects are the same|
         MOVE a 3 => :0|
         MOVE none 3 => :0|
         MOVE a 4 => :1|
         MOVE a 4 => :0|
         DBSIZE => :1|",
    );
    world.db = 4;
    assert_eq!(world.get("a"), Some((b"1".to_vec(), Some(NOW + 5), false)));
}

#[test]
fn whole_databases_are_swapped_and_flushed() {
    let mut world = World::new();
    for number in 0..100 {
        world.set(&format!("key{number}"), "value", None);
    }
    world.check(
        "SWAPDB x y => -ERR invalid first DB index|
         SWAPDB 0 y => -ERR invalid second DB index|
         SWAPDB 99 2147483648 => -ERR invalid second DB index|
         SWAPDB 0 16 => -ERR DB index is out of range|
         SWAPDB -1 0 => -ERR DB index is out of range|
         SWAPDB 5 5 => +OK|
         SWAPDB 0 5 => +OK|
         DBSIZE => :0|
         FLUSHDB => +OK|
         FLUSHDB now => -ERR syntax error|
         FLUSHALL SYNC ASYNC => -ERR syntax error|",
    );
    world.db = 5;
    world.check("DBSIZE => :100|");
    world.check("FLUSHDB async => +OK|");
    world.set("a", "1", None);
    world.db = 0;
    world.set("b", "1", None);
    world.check("FLUSHALL SYNC => +OK|");
    for number in [0, 5] {
        world.db = number;
        world.check("DBSIZE => :0|");
    }
}

#[test]
fn expiry_is_set_asked_and_taken_back() {
    let world = World::new();
    for key in ["a", "b", "c"] {
        world.set(key, "1", None);
    }
    world.check(
        "TTL none => :-2|
         PEXPIRETIME a => :-1|
         PERSIST a => :0|
         EXPIRE none 10 => :0|
         EXPIRE a x FOO => -ERR Unsupported option FOO|
         EXPIRE a x => -ERR value is not an integer or out of range|
         EXPIREAT a 9223372036854776 => -ERR invalid expire time in 'expireat' command|
         PEXPIRE none 9223372036854775807 => -ERR invalid expire time in 'pexpire' command|
         EXPIRE a 10 XX => :0|
         EXPIRE a 10 GT => :0|
         EXPIRE a 10 NX => :1|
         EXPIRE a 10 GT => :0|
         EXPIRE a 10 LT => :0|
         PEXPIRE a 10499 GT XX => :1|
         TTL a => :10|
         PTTL a => :10499|
         PEXPIRETIME a => :1790000010499|
         EXPIRETIME a => :1790000010|
         PEXPIREAT a 9223372036854775807 => :1|
         PEXPIRETIME a => :9223372036854775807|
         EXPIRETIME a => :9223372036854776|
         PERSIST a => :1|
         TTL a => :-1|
         EXPIRE a -1 XX => :0|
         EXPIRE a -1 => :1|
         EXISTS a => :0|
         PEXPIRE b -9223372036854775808 => :1|
         EXPIREAT c 0 => :1|
         DBSIZE => :0|",
    );
}
