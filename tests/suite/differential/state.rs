//! All keys of some databases, with their types, values and expiry, to compare two servers by.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tests::client::Client;
use tests::judge::equal_numbers;
use tests::notation::quote;
use tests::resp::Value;

/// Milliseconds by which the same expiry may differ, where it was set relative to now.
const CLOCK_TOLERANCE: u64 = 60_000;

/// How the whole value of a type is read: the words around the key, and whether its order counts.
const READERS: &[(&str, &str, &[&str], bool)] = &[
    ("string", "GET", &[], true),
    ("list", "LRANGE", &["0", "-1"], true),
    ("set", "SMEMBERS", &[], false),
    ("hash", "HGETALL", &[], false),
    ("zset", "ZRANGE", &["0", "-1", "WITHSCORES"], true),
    ("stream", "XRANGE", &["-", "+"], true),
];

/// A key with all there is to know of it.
struct Item {
    kind: String,
    value: Value,
    expires: i64,
}

type State = BTreeMap<(u32, Vec<u8>), Item>;

fn read(client: &mut Client, databases: &[u32]) -> State {
    let mut state = State::new();
    for &database in databases {
        client.command(&["SELECT", &database.to_string()]);
        let listed = client.run("KEYS *");
        let keys: Vec<Vec<u8>> = listed.items().iter().map(|key| key.bytes().to_vec()).collect();
        for key in &keys {
            client.send_command(&[b"TYPE", key.as_slice()]);
            client.send_command(&[b"PEXPIRETIME", key.as_slice()]);
        }
        let heads: Vec<(String, i64)> =
            keys.iter().map(|_| (client.read().text(), client.read().int())).collect();
        for (key, (kind, expires)) in keys.into_iter().zip(heads) {
            let value = value(client, &key, &kind);
            state.insert((database, key), Item { kind, value, expires });
        }
    }
    state
}

fn value(client: &mut Client, key: &[u8], kind: &str) -> Value {
    let Some((_, command, rest, is_ordered)) = READERS.iter().find(|row| row.0 == kind) else {
        return Value::Null;
    };
    let mut words = vec![command.as_bytes(), key];
    words.extend(rest.iter().map(|word| word.as_bytes()));
    match client.command(&words) {
        Value::Array(items) if !is_ordered => {
            let pair = if kind == "hash" { 2 } else { 1 };
            let mut chunks: Vec<Value> =
                items.chunks(pair).map(|chunk| Value::Array(chunk.to_vec())).collect();
            chunks.sort_by_key(Value::to_string);
            Value::Array(chunks)
        }
        other => other,
    }
}

/// What differs between two servers' databases, as a text; nothing if nothing does.
pub fn compare(ours: &mut Client, theirs: &mut Client, databases: &[u32]) -> String {
    let (ours, theirs) = (read(ours, databases), read(theirs, databases));
    let mut report = String::new();
    for ((database, key), item) in &ours {
        let name = format!("database {database}, key {}", quote(key));
        let Some(other) = theirs.get(&(*database, key.clone())) else {
            let _ = writeln!(report, "{name}: only here");
            continue;
        };
        // Redis 7.0 writes scores with more digits.
        let same_value = item.value == other.value
            || item.kind == "zset" && equal_numbers(&item.value, &other.value);
        if item.kind != other.kind || !same_value {
            let (a, b) = (format!("{} {}", item.kind, item.value), &other.value);
            let _ = writeln!(report, "{name}: {a}, there {} {b}", other.kind);
        }
        let same_expiry = item.expires == other.expires
            || item.expires > 0
                && other.expires > 0
                && item.expires.abs_diff(other.expires) < CLOCK_TOLERANCE;
        if !same_expiry {
            let (a, b) = (item.expires, other.expires);
            let _ = writeln!(report, "{name}: expires at {a}, there at {b}");
        }
    }
    for (database, key) in theirs.keys().filter(|at| !ours.contains_key(*at)) {
        let _ = writeln!(report, "database {database}, key {}: only there", quote(key));
    }
    report
}
