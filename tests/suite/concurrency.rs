//! Many connections at once, on several threads: what one does, the others see whole or not at all.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tests::client::Client;
use tests::random::Random;
use tests::resp::{Value, encode};
use tests::server::Server;

mod collections;

/// Keys that lie in eight shards.
const EIGHT: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];

/// Runs `work` on that many connections at once.
fn on_connections(server: &Server, count: usize, work: impl Fn(usize, Client) + Sync) {
    std::thread::scope(|scope| {
        for number in 0..count {
            let client = server.connect();
            let work = &work;
            scope.spawn(move || work(number, client));
        }
    });
}

/// Runs `main` on a connection, and `beside` again and again on others until that is done.
fn beside(
    server: &Server,
    others: usize,
    main: impl FnOnce(Client),
    beside: impl Fn(usize, &mut Client) + Sync,
) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..others {
            let mut client = server.connect();
            let (done, beside) = (&done, &beside);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    beside(number, &mut client);
                }
            });
        }
        // Even when `main` fails, the others must end.
        struct Finish<'a>(&'a AtomicBool);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _finish = Finish(&done);
        main(server.connect());
    });
}

/// The command that sets eight keys to one value.
fn set_eight(value: &str) -> Vec<u8> {
    let mut words = vec!["MSET"];
    EIGHT.iter().for_each(|key| words.extend([key, value]));
    encode(&words)
}

/// The command that gets eight keys.
fn get_eight() -> Vec<u8> {
    let mut words = vec!["MGET"];
    words.extend(EIGHT);
    encode(&words)
}

#[test]
fn increments_of_one_key_are_all_counted() {
    const EACH: i64 = 3000;
    let server = Server::start(&["--threads", "4"]);
    on_connections(&server, 8, |_, mut client| {
        let mut last = 0;
        for _ in 0..EACH {
            let count = client.run("INCR counter").int();
            assert!(count > last, "{count} after {last}");
            last = count;
        }
    });
    assert_eq!(server.connect().run("GET counter").text(), (8 * EACH).to_string());
}

#[test]
fn increments_of_many_keys_in_pipelines_are_all_counted() {
    const PIPELINES: usize = 60;
    const LENGTH: usize = 200;
    const KEYS: usize = 50;
    let server = Server::start(&["--threads", "4"]);
    on_connections(&server, 8, |number, mut client| {
        let mut random = Random::new(number as u64);
        for _ in 0..PIPELINES {
            let mut stream = Vec::new();
            for _ in 0..LENGTH {
                let key = format!("counter:{}", random.below(KEYS));
                stream.extend(encode(&["INCRBY", &key, "1"]));
            }
            client.send(&stream);
            (0..LENGTH).for_each(|_| assert!(client.read().int() > 0));
        }
    });
    let mut client = server.connect();
    let counts = (0..KEYS).map(|key| client.run(&format!("GET counter:{key}")).text());
    let sum: usize = counts.map(|count| count.parse::<usize>().unwrap()).sum();
    assert_eq!(sum, 8 * PIPELINES * LENGTH);
}

/// Reads the eight keys, which must all be the same.
fn check_eight(client: &mut Client, in_pipeline: usize) {
    client.send(&get_eight().repeat(in_pipeline));
    for _ in 0..in_pipeline {
        let values = client.read();
        let first = &values.items()[0];
        assert!(values.items().iter().all(|value| value == first), "torn: {values}");
    }
}

#[test]
fn mset_is_seen_whole_or_not_at_all() {
    let server = Server::start(&["--threads", "4"]);
    let write = |mut client: Client| {
        for number in 0..1500 {
            client.send(&set_eight(&number.to_string()).repeat(1 + number % 3));
            (0..=number % 3).for_each(|_| assert_eq!(client.read(), Value::Simple("OK".into())));
        }
    };
    beside(&server, 5, write, |number, client| match number {
        0 => {
            client.send(&set_eight("another writer"));
            assert_eq!(client.read(), Value::Simple("OK".into()));
        }
        number => check_eight(client, number * number),
    });
}

#[test]
fn sort_sees_the_keys_of_its_patterns_at_one_time() {
    let server = Server::start(&["--threads", "4"]);
    let mut client = server.connect();
    client.send(&set_eight("first"));
    client.read();
    client.run("RPUSH few 1 2 3 4 5 6 7 8");
    // So many lookups that all shards are borrowed for them, and that the worker pool does them.
    for _ in 0..25 {
        client
            .send(&encode(&[["RPUSH", "many"].as_slice(), &["1", "5", "8"].repeat(300)].concat()));
        client.read();
    }
    let write = |mut client: Client| {
        for number in 0..600 {
            client.send(&set_eight(&number.to_string()));
            assert_eq!(client.read(), Value::Simple("OK".into()));
        }
    };
    beside(&server, 4, write, |number, client| {
        let sorts = ["SORT few BY nosort GET k*", "SORT many BY k* ALPHA LIMIT 0 999 GET k*"];
        let values = client.run(sorts[number % 2]);
        let first = &values.items()[0];
        assert!(values.items().iter().all(|value| value == first), "torn: {values}");
    });
}

#[test]
fn flushall_and_swapdb_are_seen_whole_or_not_at_all() {
    let server = Server::start(&["--threads", "4"]);
    let mut client = server.connect();
    client.run("SELECT 1");
    client.send(&set_eight("other database"));
    client.read();
    let disturb = |mut client: Client| {
        for number in 0..300 {
            let command = ["FLUSHALL", "SWAPDB 0 1", "FLUSHDB", "SWAPDB 1 0"][number % 4];
            assert_eq!(client.run(command), Value::Simple("OK".into()));
        }
    };
    beside(&server, 4, disturb, |number, client| match number {
        0 | 1 => {
            let value = format!("writer {number}");
            client.send(&set_eight(&value).repeat(5));
            (0..5).for_each(|_| assert_eq!(client.read(), Value::Simple("OK".into())));
        }
        _ => check_eight(client, 5),
    });
    let mut client = server.connect();
    assert_eq!(client.run("FLUSHALL"), Value::Simple("OK".into()));
    assert_eq!(client.run("DBSIZE").int(), 0);
    assert_eq!(client.run("SCAN 0 COUNT 1000000").items()[1].items().len(), 0);
}

#[test]
fn what_is_renamed_is_neither_lost_nor_doubled() {
    const TOKENS: usize = 5;
    let places: Vec<String> = (0..16).map(|place| format!("place:{place}")).collect();
    let server = Server::start(&["--threads", "4"]);
    let mut client = server.connect();
    for token in 0..TOKENS {
        client.run(&format!("SET place:{token} token:{token}"));
    }
    let look = {
        let mut words = vec!["MGET"];
        words.extend(places.iter().map(String::as_str));
        encode(&words)
    };
    let expected: BTreeSet<String> = (0..TOKENS).map(|token| format!("token:{token}")).collect();
    let watch = |mut client: Client| {
        for _ in 0..1500 {
            client.send(&look);
            let reply = client.read();
            let found: Vec<&Value> = reply.items().iter().filter(|v| !v.is_nothing()).collect();
            assert_eq!(found.len(), TOKENS, "{reply}");
            assert_eq!(found.iter().map(|v| v.text()).collect::<BTreeSet<_>>(), expected);
        }
    };
    beside(&server, 4, watch, |number, client| {
        let mut random = Random::new(number as u64);
        let mut stream = Vec::new();
        for _ in 0..50 {
            let (from, to) = (random.pick(&places).as_str(), random.pick(&places).as_str());
            stream.extend(encode(&["RENAMENX", from, to]));
        }
        client.send(&stream);
        for _ in 0..50 {
            let reply = client.read();
            assert!(matches!(reply, Value::Integer(_)) || reply.is_error("ERR no such key"));
        }
    });
}

#[test]
fn moves_between_databases_keep_every_key() {
    const KEYS: usize = 8;
    let server = Server::start(&["--threads", "4"]);
    let mut client = server.connect();
    EIGHT.iter().for_each(|key| assert!(!client.run(&format!("SET {key} x")).is_nothing()));
    on_connections(&server, 6, |number, mut client| {
        let mut random = Random::new(number as u64);
        let database = number % 2;
        client.run(&format!("SELECT {database}"));
        for _ in 0..1500 {
            let key = random.pick(&EIGHT);
            assert!(client.run(&format!("MOVE {key} {}", 1 - database)).int() <= 1);
        }
    });
    let mut sizes = 0;
    for database in 0..2 {
        client.run(&format!("SELECT {database}"));
        sizes += client.run("DBSIZE").int();
    }
    assert_eq!(sizes, KEYS as i64);
}

#[test]
fn a_copy_is_never_newer_than_its_source_and_a_delete_takes_all() {
    let server = Server::start(&["--threads", "4"]);
    let write = |mut client: Client| {
        for number in 1..2000 {
            assert_eq!(client.run(&format!("SET source {number}")), Value::Simple("OK".into()));
            assert_eq!(client.run("COPY source copy REPLACE").int(), 1);
            if number % 3 == 0 {
                client.run("DEL source copy");
            }
        }
    };
    beside(&server, 3, write, |_, client| {
        let reply = client.run("MGET source copy");
        let [source, copy] = reply.items() else { panic!("{reply}") };
        if source.is_nothing() {
            assert!(copy.is_nothing(), "a copy without source: {reply}");
        } else if !copy.is_nothing() {
            let [source, copy] = [source, copy].map(|v| v.text().parse::<u64>().unwrap());
            assert!(copy <= source, "a copy {copy} of {source}");
        }
    });
}

/// Scans to the end with a page size.
fn scan(client: &mut Client, count: usize) -> Vec<String> {
    let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
    loop {
        let reply = client.run(&format!("SCAN {cursor} COUNT {count}"));
        found.extend(reply.items()[1].texts());
        cursor = reply.items()[0].text();
        if cursor == "0" {
            return found;
        }
    }
}

#[test]
fn a_scan_finds_all_that_stays_while_others_come_and_go() {
    const STAYING: usize = 5000;
    let server = Server::start(&["--threads", "4"]);
    let mut client = server.connect();
    let mut stream = Vec::new();
    (0..STAYING).for_each(|key| stream.extend(encode(&["SET", &format!("stay:{key}"), "x"])));
    client.send(&stream);
    (0..STAYING).for_each(|_| assert_eq!(client.read(), Value::Simple("OK".into())));
    let scans = |mut client: Client| {
        for count in [7, 10, 100, 1000, 20_000, 50] {
            let found = scan(&mut client, count);
            let known = |key: &String| key.starts_with("stay:") || key.starts_with("go:");
            assert!(found.iter().all(known));
            let staying: BTreeSet<&String> =
                found.iter().filter(|key| key.starts_with("stay:")).collect();
            assert_eq!(staying.len(), STAYING, "with COUNT {count}");
        }
    };
    beside(&server, 3, scans, |number, client| {
        // The table grows to some four times its size and shrinks again.
        for (verb, key_count) in [("SET", 5000), ("DEL", 5000)] {
            let mut stream = Vec::new();
            for key in 0..key_count {
                let key = format!("go:{number}:{key}");
                stream.extend(if verb == "SET" {
                    encode(&["SET", &key, "x"])
                } else {
                    encode(&["DEL", &key])
                });
            }
            let sender = client.send_beside(stream);
            (0..key_count).for_each(|_| assert!(!matches!(client.read(), Value::Error(_))));
            sender.join().unwrap();
        }
    });
}

#[test]
fn a_scan_of_an_unchanged_database_finds_each_key_once() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    for size in [0, 1, 2, 10, 1000, 50_000] {
        client.run("FLUSHALL");
        client.run(&format!("DEBUG POPULATE {size}"));
        let mut found = scan(&mut client, 100);
        assert_eq!(found.len(), size);
        found.sort();
        found.dedup();
        assert_eq!(found.len(), size);
        assert_eq!(client.run("KEYS *").items().len(), size);
        assert_eq!(client.run("DBSIZE").int(), size as i64);
    }
}

#[test]
fn nobody_waits_in_a_circle() {
    const COMMANDS: usize = 40;
    let server = Server::start(&["--threads", "3"]);
    on_connections(&server, 16, |number, mut client| {
        let mut random = Random::new(number as u64);
        for _ in 0..25 {
            let mut stream = Vec::new();
            for _ in 0..COMMANDS {
                stream.extend(random_command(&mut random));
            }
            let sender = client.send_beside(stream);
            (0..COMMANDS).for_each(|_| drop(client.read()));
            sender.join().unwrap();
        }
    });
    let mut client = server.connect();
    client.run("FLUSHALL");
    assert_eq!(client.run("DBSIZE").int(), 0);
}

/// A command of any kind: of one key, of many, of all.
fn random_command(random: &mut Random) -> Vec<u8> {
    let key = |random: &mut Random| format!("key:{}", random.below(300));
    let list = |random: &mut Random| format!("list:{}", random.below(4));
    match random.below(24) {
        0 => encode(&["FLUSHDB"]),
        1 => encode(&["SWAPDB", "0", "1"]),
        2 => encode(&["KEYS", "key:1*"]),
        3 => encode(&["DBSIZE"]),
        4 => encode(&["INFO"]),
        5 => encode(&["SCAN", "0", "COUNT", "100"]),
        6 => encode(&["RANDOMKEY"]),
        7 => encode(&["SELECT", &random.below(2).to_string()]),
        8 => encode(&["RENAME", &key(random), &key(random)]),
        9 => encode(&["COPY", &key(random), &key(random), "REPLACE"]),
        10 => encode(&["MOVE", &key(random), &random.below(2).to_string()]),
        11 => encode(&["SET", &key(random), "v", "PX", "20"]),
        12 => encode(&["INCR", "counter"]),
        13 => encode(&["GET", &key(random)]),
        14 => encode(&["RM", "0", "COUNT", "3", "MATCH", "key:2*"]),
        15 | 16 => {
            let mut words = vec!["RPUSH".into(), list(random)];
            words.extend((0..100).map(|_| random.below(300).to_string()));
            encode(&words)
        }
        17 => encode(&["SORT", &list(random), "BY", "nosort", "LIMIT", "0", "3", "GET", "key:*"]),
        18 => {
            let (from, to) = (list(random), list(random));
            encode(&["SORT", &from, "BY", "key:*", "ALPHA", "GET", "#", "STORE", &to])
        }
        kind => {
            let verb = ["MSET", "MGET", "DEL", "EXISTS", "MSETNX"][kind - 19];
            let mut words = vec![verb.to_owned()];
            for _ in 0..1 + random.below(60) {
                words.push(key(random));
                if verb.starts_with("MSET") {
                    words.push("value".into());
                }
            }
            encode(&words)
        }
    }
}

#[test]
fn more_long_commands_than_workers_all_end() {
    let server = Server::start(&["--enable-debug-command", "yes", "--threads", "2"]);
    server.connect().run("DEBUG POPULATE 2000");
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let command = ["KEYS *", "INFO", "KEYS nothing", "DBSIZE", "FLUSHDB", "KEYS key:*"];
        client.send(format!("{}\r\nPING\r\n", command[number % 6]).as_bytes());
    }
    for client in &mut clients {
        assert!(!matches!(client.read(), Value::Error(_)));
        assert_eq!(client.read(), Value::Simple("PONG".into()));
    }
}

/// The longest time that a PING took while `main` ran on another connection.
fn worst_ping(server: &Server, main: impl FnOnce(Client)) -> Duration {
    let worst = std::sync::Mutex::new(Duration::ZERO);
    beside(server, 2, main, |_, client| {
        let start = Instant::now();
        assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
        let mut worst = worst.lock().unwrap();
        *worst = start.elapsed().max(*worst);
    });
    worst.into_inner().unwrap()
}

#[test]
fn long_commands_let_others_be_served() {
    const KEYS: usize = 300_000;
    // A generous limit, for loaded machines: all of these would take longer in one piece.
    const LIMIT: Duration = Duration::from_secs(1);
    let server = Server::start(&["--enable-debug-command", "yes", "--threads", "1"]);
    let mut client = server.connect();
    let worst = worst_ping(&server, |mut client| {
        client.run(&format!("DEBUG POPULATE {KEYS}"));
    });
    assert!(worst < LIMIT, "{worst:?} during DEBUG POPULATE");
    let worst = worst_ping(&server, |mut client| {
        for _ in 0..5 {
            assert_eq!(client.run("KEYS *").items().len(), KEYS);
        }
    });
    assert!(worst < LIMIT, "{worst:?} during KEYS");
    let worst = worst_ping(&server, |mut client| {
        let mut words = vec!["DEL".to_owned()];
        words.extend((0..100_000).map(|key| format!("key:{key}")));
        assert_eq!(client.command(&words).int(), 100_000);
    });
    assert!(worst < LIMIT, "{worst:?} during DEL");
    let worst = worst_ping(&server, |mut client| {
        assert_eq!(client.run("FLUSHALL"), Value::Simple("OK".into()));
    });
    assert!(worst < LIMIT, "{worst:?} during FLUSHALL");
    assert_eq!(client.run("DBSIZE").int(), 0);
}

#[test]
fn a_pipeline_of_one_client_does_not_stop_the_others() {
    let server = Server::start(&["--threads", "1"]);
    let worst = worst_ping(&server, |mut client| {
        let stream = encode(&["INCR", "n"]).repeat(300_000);
        let sender = client.send_beside(stream);
        (1..=300_000).for_each(|count| assert_eq!(client.read().int(), count));
        sender.join().unwrap();
    });
    assert!(worst < Duration::from_secs(1), "{worst:?} beside a pipeline");
}
