//! Random commands to our server and to Redis: they must answer alike.
//!
//! The commands are made of templates whose words are drawn from lists of ordinary and nasty
//! values. `DIFFERENTIAL_SEED` and `DIFFERENTIAL_COMMANDS` in the environment make other and longer
//! runs.

use tests::client::Client;
use tests::notation::quote;
use tests::random::Random;
use tests::resp::{Value, encode};
use tests::server::Server;

/// Commands in one pipeline.
const PIPELINE: usize = 40;
/// Earlier commands that a failure shows.
const HISTORY: usize = 12;
/// Milliseconds by which the two servers may disagree about the time.
const CLOCK_TOLERANCE: i64 = 60_000;

/// Templates; words in capitals with a dollar are drawn from the lists below.
#[rustfmt::skip]
const TEMPLATES: &[&str] = &[
    "GET $KEY", "SET $KEY $VALUE", "SET $KEY $VALUE", "SET $KEY $INTEGER", "SET $KEY $FLOAT",
    "SET $KEY $VALUE $OPTION", "SET $KEY $VALUE $OPTION $OPTION",
    "SET $KEY $VALUE $OPTION $OPTION $OPTION", "SET $KEY $VALUE $UNIT $TIME",
    "SET $KEY $VALUE $UNIT $FAR", "SET $KEY $VALUE $OPTION $UNIT $FAR", "SET $KEY $VALUE EX",
    "GETEX $KEY", "GETEX $KEY PERSIST", "GETEX $KEY $UNIT $FAR", "GETEX $KEY $UNIT $TIME",
    "GETEX $KEY $OPTION", "SETEX $KEY $TIME $VALUE", "PSETEX $KEY $TIME $VALUE",
    "SETNX $KEY $VALUE", "GETSET $KEY $VALUE", "GETDEL $KEY", "STRLEN $KEY", "APPEND $KEY $VALUE",
    "APPEND $KEY $INTEGER", "SETRANGE $KEY $OFFSET $VALUE", "GETRANGE $KEY $OFFSET -1",
    "GETRANGE $KEY 0 $OFFSET", "SUBSTR $KEY 2 $OFFSET", "INCR $KEY", "DECR $KEY",
    "INCRBY $KEY $INTEGER", "DECRBY $KEY $INTEGER", "INCRBYFLOAT $KEY $FLOAT",
    "INCRBYFLOAT $KEY $FLOAT", "MGET $KEY $KEY $KEY", "MSET $KEY $VALUE $KEY $VALUE",
    "MSET $KEY $VALUE $KEY", "MSETNX $KEY $VALUE $KEY $VALUE", "DEL $KEY", "DEL $KEY $KEY",
    "UNLINK $KEY $KEY", "EXISTS $KEY $KEY $KEY", "TOUCH $KEY $KEY", "TYPE $KEY", "RENAME $KEY $KEY",
    "RENAMENX $KEY $KEY", "COPY $KEY $KEY", "COPY $KEY $KEY REPLACE", "COPY $KEY $KEY DB $DB",
    "COPY $KEY $KEY DB $DB REPLACE", "MOVE $KEY $DB", "SELECT $DB", "SELECT 0", "SWAPDB 0 1",
    "KEYS *", "KEYS $PATTERN", "SCAN 0 COUNT 1000000 MATCH $PATTERN", "EXPIRE $KEY $TIME",
    "EXPIRE $KEY $FAR $PRESENCE", "PEXPIRE $KEY $TIME", "PEXPIRE $KEY $TIME $PRESENCE",
    "EXPIREAT $KEY $TIME", "EXPIREAT $KEY 9999999999 $LIMIT", "EXPIREAT $KEY $TIME $LIMIT",
    "EXPIREAT $KEY 8888888888 $LIMIT $LIMIT", "PEXPIREAT $KEY 9999999999999 $LIMIT", "TTL $KEY",
    "PTTL $KEY", "EXPIRETIME $KEY", "PEXPIRETIME $KEY", "PERSIST $KEY", "LCS $KEY $KEY",
    "LCS $KEY $KEY LEN", "LCS $KEY $KEY IDX", "LCS $KEY $KEY IDX MINMATCHLEN 2 WITHMATCHLEN",
    "PING $VALUE", "ECHO $VALUE", "$VALUE", "$VALUE $KEY $VALUE", "OBJECTIVE $VALUE $INTEGER",
];

#[rustfmt::skip]
const KEYS: &[&str] = &[
    "a", "b", "c", "d", "{a}1", "{a}2", "key:1", "key:2", "", "\u{1}x",
];
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "v", "", "hello", "ohmytext", "mynewtext", "\r\n", "NX", "a longer value that is no number",
    "12", "-7", "3.5", "  5", "5 ", "é", "\0\0", "0", "00", "9223372036854775807",
];
#[rustfmt::skip]
const INTEGERS: &[&str] = &[
    "0", "1", "-1", "2", "10", "-10", "100000", "9223372036854775807", "-9223372036854775808",
    "9223372036854775806", "-9223372036854775807", "9223372036854775808", "4611686018427387904",
    "9223372036854775", "9223372036854776", "01", "+1", "-0", "", " 1", "1.0", "abc", "0x10", "1e3",
    "92233720368547758070",
];
/// Times are far away or past, lest something expire between the answers of the two servers.
#[rustfmt::skip]
const TIMES: &[&str] = &[
    "0", "-1", "1000000", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
    "9223372036854775", "9223372036854776", "-9223372036854776", "01", "+1", "-0", "", "1.0", "abc",
];
#[rustfmt::skip]
const FLOATS: &[&str] = &[
    "0", "0.1", "-0.1", "1.5", "3.14159", "1e10", "1e-10", "1E5", "-2.5e3", "100000000000000000000",
    "0.000000000000000001", "1e308", "-1e308", "1e4931", "1e5000", "inf", "-inf", "nan", "+1.25",
    ".5", "5.", "0x1p4", "0x.8p1", "1e", "e5", "", " 1", "1 ", "abc", "-0", "-0.0",
    "123456789012345678901234567890.5",
];
#[rustfmt::skip]
const OFFSETS: &[&str] = &[
    "0", "1", "2", "3", "5", "7", "12", "40", "536870912", "-1", "x", "", "9223372036854775807",
    "9223372036854775808",
];
#[rustfmt::skip]
const OPTIONS: &[&str] = &[
    "NX", "XX", "GET", "KEEPTTL", "nx", "xx", "get", "PERSIST", "FOO", "EX 9999999999", "EXAT 1",
    "PXAT 9999999999999", "PX 99999999999", "EX", "EX 0", "EX x",
];
#[rustfmt::skip]
const UNITS: &[&str] = &[
    "EX", "PX", "EXAT", "PXAT",
];
#[rustfmt::skip]
const FARS: &[&str] = &[
    "99999999999", "9999999999999",
];
/// GT and LT are for absolute times, in which the two servers agree to the millisecond.
#[rustfmt::skip]
const PRESENCES: &[&str] = &[
    "NX", "XX", "nx", "FOO",
];
#[rustfmt::skip]
const LIMITS: &[&str] = &[
    "NX", "XX", "GT", "LT", "gt", "FOO",
];
#[rustfmt::skip]
const DBS: &[&str] = &[
    "0", "1", "0", "1", "15", "16", "-1", "x", "2147483648",
];
#[rustfmt::skip]
const PATTERNS: &[&str] = &[
    "*", "?", "[a-c]", "[^a]", "{a}*", "key:?", "*1", "\\a", "", "[c-a]", "[a", "k*[12]", "**y*",
    "[\\a]", "*[", "[]", "[^]", "a*b", "*:*:*",
];

fn words(template: &str, random: &mut Random) -> Vec<String> {
    let mut words = Vec::new();
    for word in template.split(' ') {
        let list = match word {
            "$KEY" => KEYS,
            "$VALUE" => VALUES,
            "$INTEGER" => INTEGERS,
            "$TIME" => TIMES,
            "$FLOAT" => FLOATS,
            "$OFFSET" => OFFSETS,
            "$OPTION" => OPTIONS,
            "$UNIT" => UNITS,
            "$FAR" => FARS,
            "$PRESENCE" => PRESENCES,
            "$LIMIT" => LIMITS,
            "$DB" => DBS,
            "$PATTERN" => PATTERNS,
            other => &[other],
        };
        let choice = random.pick(list);
        if word == "$OPTION" {
            words.extend(choice.split(' ').map(str::to_owned));
        } else {
            words.push((*choice).to_owned());
        }
    }
    words
}

/// Whether two replies to a command are alike.
fn alike(command: &str, ours: &Value, theirs: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut texts = value.texts();
        texts.sort();
        texts
    };
    match (command, ours, theirs) {
        ("KEYS", Value::Array(_), Value::Array(_)) => sorted(ours) == sorted(theirs),
        ("SCAN", Value::Array(ours), Value::Array(theirs)) => {
            ours[0] == theirs[0] && sorted(&ours[1]) == sorted(&theirs[1])
        }
        ("TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME", Value::Integer(a), Value::Integer(b)) => {
            a == b || *a > 0 && *b > 0 && a.abs_diff(*b) < CLOCK_TOLERANCE as u64
        }
        _ => ours == theirs,
    }
}

fn show(words: &[String]) -> String {
    words.iter().map(|word| quote(word.as_bytes())).collect::<Vec<_>>().join(" ")
}

/// Whether Redis 7.0 is known to answer otherwise; see the transcripts for the reasons.
fn is_known_to_differ(words: &[String], ours: &Value, theirs: &Value) -> bool {
    match words[0].as_str() {
        "GETRANGE" | "SUBSTR" => ours.bytes().is_empty() && theirs.bytes().len() == 1,
        // Each introduces itself.
        "hello" => words.len() == 1,
        _ => false,
    }
}

fn compare(resp3: bool, seed: u64, commands: usize) {
    let (our_server, their_server) = (Server::start(&[]), Server::start_other("redis-server", &[]));
    let connect = |server: &Server| -> Client {
        if resp3 { server.connect_resp3() } else { server.connect() }
    };
    let (mut ours, mut theirs) = (connect(&our_server), connect(&their_server));
    let mut random = Random::new(seed);
    let mut history: Vec<Vec<String>> = Vec::new();
    for _ in 0..commands / PIPELINE {
        let mut draw = |_| {
            let template: &&str = random.pick(TEMPLATES);
            words(template, &mut random)
        };
        let batch: Vec<Vec<String>> = (0..PIPELINE).map(&mut draw).collect();
        let stream: Vec<u8> = batch.iter().flat_map(|words| encode(words)).collect();
        ours.send(&stream);
        theirs.send(&stream);
        for words in batch {
            let (a, b) = (ours.read(), theirs.read());
            history.push(words.clone());
            if alike(&words[0], &a, &b) || is_known_to_differ(&words, &a, &b) {
                continue;
            }
            let recent: Vec<String> =
                history[history.len().saturating_sub(HISTORY)..].iter().map(|w| show(w)).collect();
            panic!(
                "seed {seed}, after {} commands:\n{}\nours:  {a}\nRedis: {b}",
                history.len(),
                recent.join("\n")
            );
        }
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_commands_are_answered_as_redis_does() {
    let seed = from_environment("DIFFERENTIAL_SEED", 1);
    let commands = from_environment("DIFFERENTIAL_COMMANDS", 100_000) as usize;
    compare(false, seed, commands);
    compare(true, seed + 1, commands);
}
