//! DEBUG: what tests and measurements need, refused unless the configuration allows it.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use commands::spec::{Flags, Group};
use commands::{Command, Failure, context, object};
use keyspace::{DATABASES, Db, Key, Keyspace, SHARDS};
use protocol::number::{parse_f64, parse_i64};
use protocol::reply::Reply;
use signal_hook::consts::{SIGABRT, SIGSEGV};
use values::Value;

use super::with_key;
use crate::digest;
use crate::server::now_ms;
use crate::session::{Call, Flow, SessionHandler};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

/// The rows of this family. As in Redis, what DEBUG does is an argument and no subcommand with a
/// row of its own, because whether it is allowed comes before all else.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("debug", -2, debug)
        .flags(FLAGS)
        .docs(Group::Server, "1.0.0", "Commands for tests of the server.")
        .complexity("that of what is asked for")
        .internal()];

const NOT_ALLOWED: Failure = Failure::text(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you \
     can run it from a local connection, otherwise you need to set this option in the \
     configuration file, and then restart the server.",
);
const BAD_TYPE: Failure = Failure::text(
    "ERR Wrong protocol type name. Please use one of the following: \
     string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);

const HELP: &[(&str, &str)] = &[
    ("DIGEST", "Show a hash of all data, the same in servers with the same data."),
    ("DIGEST-VALUE <key> [<key> ...]", "Show such a hash for each key."),
    ("ERROR <text>", "Answer with an error of this text."),
    ("HELP", "List the subcommands."),
    ("HTSTATS <database>", "Show sizes of a database's tables."),
    ("LOG <text>", "Write a text into the log."),
    ("OBJECT <key>", "Show how the value of a key is kept."),
    ("PANIC", "End the process at once, as by SIGABRT."),
    ("PAUSE-CRON <0|1>", "Suspend what is done from time to time, or go on."),
    ("POPULATE <count> [<prefix>] [<size>]", "Add keys, of which values may have a size."),
    ("PROTOCOL <type>", "Answer with a reply of this type."),
    ("SEGFAULT", "End the process at once, as by SIGSEGV."),
    ("SET-ACTIVE-EXPIRE <0|1>", "Suspend removing expired keys that nobody asks for, or go on."),
    ("SLEEP <seconds>", "Answer after this time."),
];

fn debug(call: &mut Call<'_>) -> Result<Flow, Failure> {
    check_allowed(call)?;
    let what = call.args.get(1);
    match (what.to_ascii_lowercase().as_slice(), call.args.len()) {
        (b"digest", 2) => Ok(digest(call)),
        (b"digest-value", _) => Ok(digest_value(call)),
        (b"error", 3) => {
            call.reply.error_bytes(call.args.get(2));
            Ok(Flow::Next)
        }
        (b"help", 2) => Ok(help(&mut call.reply)),
        (b"htstats", 3) => htstats(call),
        (b"log", 3) => {
            log::warn!("DEBUG LOG: {}", String::from_utf8_lossy(call.args.get(2)));
            call.reply.ok();
            Ok(Flow::Next)
        }
        (b"object", 3) => with_key(call, 2, show_object),
        (b"panic", 2) => end_by(SIGABRT),
        (b"pause-cron", 3) => {
            call.server.cron.is_paused.store(flag(call.args.get(2)), Relaxed);
            call.reply.ok();
            Ok(Flow::Next)
        }
        (b"populate", 3..=5) => populate(call),
        (b"protocol", 3) => protocol(&mut call.reply, call.args.get(2)),
        (b"segfault", 2) => end_by(SIGSEGV),
        (b"set-active-expire", 3) => {
            call.server.cron.expires_actively.store(flag(call.args.get(2)), Relaxed);
            call.reply.ok();
            Ok(Flow::Next)
        }
        (b"sleep", 3) => Ok(sleep(call)),
        _ => {
            let before = "ERR unknown subcommand or wrong number of arguments for '";
            Err(Failure::quoting(before, what, "'. Try DEBUG HELP."))
        }
    }
}

fn help(reply: &mut Reply<'_>) -> Flow {
    reply.array(HELP.len() * 2 + 1);
    reply.simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (usage, meaning) in HELP {
        reply.simple(usage);
        reply.simple(&format!("    {meaning}"));
    }
    Flow::Next
}

fn check_allowed(call: &Call<'_>) -> Result<(), Failure> {
    match call.server.config.debug_command.read().as_str() {
        "yes" => Ok(()),
        "local" if call.session.client.addr.is_local() => Ok(()),
        _ => Err(NOT_ALLOWED),
    }
}

/// A word as a switch; what is no number is off, as in Redis.
fn flag(word: &[u8]) -> bool {
    parse_i64(word).is_some_and(|number| number != 0)
}

fn sleep(call: &Call<'_>) -> Flow {
    let seconds = parse_f64(call.args.get(2)).unwrap_or(0.0);
    Flow::Sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// Ends the process as a signal that nobody handles does.
fn end_by(signal: i32) -> Result<Flow, Failure> {
    log::error!("a client asks for the end of the process by signal {signal}");
    // Where this fails the process goes on, and says so.
    let failed = signal_hook::low_level::emulate_default_handler(signal);
    Err(Failure::Text(format!("ERR the signal had no effect: {failed:?}").into()))
}

fn populate(call: &Call<'_>) -> Result<Flow, Failure> {
    let number = |index: usize| -> Result<usize, Failure> {
        let bad = Failure::text("ERR value is out of range, must be positive");
        parse_i64(call.args.get(index)).and_then(|n| usize::try_from(n).ok()).ok_or(bad)
    };
    let count = number(2)?;
    let prefix = if call.args.len() > 3 { call.args.get(3) } else { b"key" }.to_vec();
    let size = if call.args.len() > 4 { Some(number(4)?) } else { None };
    let (keyspace, db) = (call.server.keyspace, call.session.db);
    Ok(Flow::Work(Box::new(move |reply| {
        fill(keyspace, db, count, &prefix, size);
        reply.ok();
    })))
}

/// Adds keys `prefix:0` to `prefix:count-1` that are not there yet, with values `value:n` padded
/// with zeros or cut to `size`.
fn fill(keyspace: &'static Keyspace, db: u16, count: usize, prefix: &[u8], size: Option<usize>) {
    let (mut name, mut value) = (Vec::new(), Vec::new());
    for number in 0..count {
        name.clear();
        name.extend_from_slice(prefix);
        name.extend_from_slice(format!(":{number}").as_bytes());
        value.clear();
        value.extend_from_slice(format!("value:{number}").as_bytes());
        if let Some(size) = size {
            value.resize(size, 0);
        }
        let key = keyspace.key(&name);
        let now = now_ms();
        let mut shard = keyspace.borrow_blocking(key.shard());
        let db = shard.db(db);
        if db.get(&key, now).is_none() {
            db.set(&key, Value::of(&value), None, now);
        }
    }
}

fn digest(call: &Call<'_>) -> Flow {
    let (keyspace, now_ms) = (call.server.keyspace, call.now_ms);
    Flow::Work(Box::new(move |reply| {
        reply.simple(&digest::of_all(keyspace, now_ms).to_string());
    }))
}

fn digest_value(call: &Call<'_>) -> Flow {
    let (keyspace, db, now_ms) = (call.server.keyspace, call.session.db, call.now_ms);
    let keys: Vec<Vec<u8>> = call.args.from(2).map(<[u8]>::to_vec).collect();
    Flow::Work(Box::new(move |reply| {
        reply.array(keys.len());
        for key in &keys {
            let key = keyspace.key(key);
            let mut shard = keyspace.borrow_blocking(key.shard());
            let digest =
                shard.db(db).get(&key, now_ms).map(|entry| digest::of_value(&entry, now_ms));
            reply.simple(&digest.unwrap_or_default().to_string());
        }
    }))
}

fn show_object(db: &mut Db, key: &Key<'_>, now_ms: u64, reply: &mut Reply<'_>) {
    let Some(entry) = db.get(key, now_ms) else {
        return reply.error("ERR no such key");
    };
    let (place, encoding) = (entry.key().as_ptr(), object::encoding_of(&entry));
    reply.simple(&format!("Value at:{place:p} refcount:1 encoding:{encoding}"));
}

fn htstats(call: &Call<'_>) -> Result<Flow, Failure> {
    let number = parse_i64(call.args.get(2)).ok_or(Failure::NotInteger)?;
    let number = i32::try_from(number).ok().and_then(|number| context::db_in_range(number).ok());
    let number = number.ok_or(Failure::text("ERR Out of range database"))?;
    debug_assert!(usize::from(number) < DATABASES, "checked a line above");
    let keyspace = call.server.keyspace;
    Ok(Flow::Work(Box::new(move |reply| {
        let (mut keys, mut volatile, mut capacity) = (0, 0, 0);
        for shard in 0..SHARDS {
            let mut shard = keyspace.borrow_blocking(shard as u16);
            let db = shard.db(number);
            keys += db.len();
            volatile += db.volatile();
            capacity += db.capacity();
        }
        let mut text = String::new();
        // Keys with an expiry are in no table of their own.
        for (name, size, count) in [("Dictionary", capacity, keys), ("Expires", 0, volatile)] {
            // Writing to a string does not fail.
            let _ = writeln!(text, "[{name} HT]\nHash table 0 stats (main hash table):");
            let _ = match count {
                0 => writeln!(text, "No stats available for empty dictionaries"),
                _ => writeln!(text, " table size: {size}\n number of elements: {count}"),
            };
        }
        reply.verbatim("txt", text.as_bytes());
    })))
}

/// Answers with a reply of the type that is asked for, in the form of the client's protocol.
fn protocol(reply: &mut Reply<'_>, name: &[u8]) -> Result<Flow, Failure> {
    const BIG: &[u8] = b"1234567999999999999999999999999999999";
    match name.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double_text(b"3.141"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            (0..3).for_each(|number| {
                reply.integer(number);
                reply.boolean(number == 1);
            });
        }
        b"bignum" if reply.is_resp3() => reply.encoded(&[b"(", BIG, b"\r\n"].concat()),
        b"bignum" => reply.bulk(BIG),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"attrib" => {
            if reply.is_resp3() {
                reply.encoded(b"|1\r\n");
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" if reply.is_resp3() => {
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"push" => return Err(Failure::text("ERR RESP2 is not supported by this command")),
        _ => return Err(BAD_TYPE),
    }
    Ok(Flow::Next)
}
