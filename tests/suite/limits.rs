//! The manners of connections: limits of what they may make the server keep, silence, large values
//! that stall nobody, too many of them, and the end.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tests::client::Client;
use tests::resp::{Value, encode};
use tests::server::Server;
use tests::wait;

const MEBIBYTE: usize = 1024 * 1024;
/// Bytes of a large value.
const LARGE: usize = 64 * MEBIBYTE;
/// Others wait this long at most. The bar for values eight times as large is 50 ms on a quiet
/// machine; tests run many at a time.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// The head of a SET whose value has `len` bytes, which are to follow.
fn set_head(key: &str, len: usize) -> Vec<u8> {
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${len}\r\n", key.len()).into_bytes()
}

/// Sets a key to a value.
fn set(client: &mut Client, key: &str, value: &[u8]) {
    let words = [&b"SET"[..], key.as_bytes(), value];
    assert_eq!(client.command(&words), Value::Simple("OK".into()));
}

/// Bytes that differ from place to place.
fn value(len: usize) -> Vec<u8> {
    let mut value = vec![b'v'; len];
    for (number, chunk) in value.chunks_mut(4096).enumerate() {
        let mark = number.to_string();
        let end = chunk.len().min(mark.len());
        chunk[..end].copy_from_slice(&mark.as_bytes()[..end]);
    }
    value
}

/// A field of the connection's line in CLIENT LIST.
fn field(client: &mut Client, id: i64, name: &str) -> Option<u64> {
    let line = client.run(&format!("CLIENT LIST ID {id}")).text();
    let start = format!("{name}=");
    let value = line.split(' ').find_map(|word| word.strip_prefix(&start))?;
    value.trim().parse().ok()
}

/// The longest that PING takes on another connection while `work` runs.
fn longest_wait(server: &Server, work: impl FnOnce() + Send) -> Duration {
    let mut witness = server.connect();
    std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        let mut longest = Duration::ZERO;
        while !worker.is_finished() {
            let start = Instant::now();
            assert_eq!(witness.run("PING"), Value::Simple("PONG".into()));
            longest = longest.max(start.elapsed());
            std::thread::sleep(Duration::from_millis(1));
        }
        longest
    })
}

#[test]
fn large_values_are_whole_and_stall_nobody() {
    let server = Server::start(&["--threads", "1"]);
    let large = value(LARGE);
    let longest = longest_wait(&server, || {
        let mut client = server.connect();
        for _ in 0..2 {
            let sender = client.send_beside([&set_head("k", LARGE)[..], &large, b"\r\n"].concat());
            assert_eq!(client.read(), Value::Simple("OK".into()));
            sender.join().unwrap();
            assert!(client.run("GET k").bytes() == large, "another value");
        }
    });
    assert!(longest < WAIT_MAX, "a client waited {longest:?}");
}

#[test]
fn a_large_value_is_kept_once() {
    let server = Server::start(&["--threads", "1"]);
    let mut client = server.connect();
    let before = server.resident_bytes();
    client.send(&set_head("k", LARGE));
    for _ in 0..LARGE / MEBIBYTE {
        client.send(&[b'v'; MEBIBYTE]);
    }
    client.send(b"\r\n");
    assert_eq!(client.read(), Value::Simple("OK".into()));
    let peak = server.peak_resident_bytes() - before;
    assert!(peak < LARGE as u64 * 3 / 2, "{peak} bytes at the peak for {LARGE}");
}

#[test]
fn a_value_on_its_way_out_is_not_changed_by_edits() {
    let server = Server::start(&["--threads", "1"]);
    let (mut reader, mut writer) = (server.connect(), server.connect());
    let old = value(16 * MEBIBYTE);
    set(&mut writer, "k", &old);
    for edit in ["SETRANGE k 5000000 xyz", "APPEND k xyz", "SET k short", "DEL k", "FLUSHALL"] {
        set(&mut writer, "k", &old);
        reader.send(&encode(&["GET", "k"]));
        let id = reader_id(&mut writer, "get");
        wait::until("the reply is on its way", || field(&mut writer, id, "omem") > Some(0));
        writer.run(edit);
        assert!(reader.read().bytes() == old, "the value was changed under way by {edit}");
    }
}

/// The number of the connection whose last command has this name.
fn reader_id(client: &mut Client, name: &str) -> i64 {
    let mut id = None;
    wait::until("the command has come", || {
        let list = client.run("CLIENT LIST").text();
        let line = list.lines().find(|line| line.contains(&format!("cmd={name} ")));
        id = line.and_then(|line| line.strip_prefix("id=")?.split(' ').next()?.parse().ok());
        id.is_some()
    });
    id.unwrap()
}

#[test]
fn large_arguments_come_in_any_pieces_and_company() {
    let server = Server::start(&["--threads", "1"]);
    for len in [4096, 4097, 32_767, 32_768, 65_535, 65_536, 65_537, 200_000, 3 * MEBIBYTE] {
        let large = value(len);
        let mut stream = encode(&["SET", "small", "1"]);
        stream.extend(encode(&[&b"SET"[..], b"k", &large[..]]));
        stream.extend(encode(&[&b"MSET"[..], b"a", &large[..], b"b", b"x", b"c", &large[..]]));
        stream.extend(encode(&["GETRANGE", "k", "1", "-2"]));
        stream.extend(encode(&["MGET", "k", "a", "b", "c", "none"]));
        stream.extend(encode(&[&b"GETSET"[..], b"k", &large[1..]]));
        stream.extend(encode(&["GETEX", "k", "PERSIST"]));
        stream.extend(encode(&["COPY", "k", "copy"]));
        stream.extend(encode(&["APPEND", "k", "tail"]));
        stream.extend(encode(&["GETDEL", "copy"]));
        stream.extend(encode(&["STRLEN", "k"]));
        for pieces in [1, 2, 7, 100] {
            let mut client = server.connect();
            let sender = client.send_pieces_beside(stream.clone(), stream.len() / pieces + 1);
            let ok = Value::Simple("OK".into());
            assert!((0..3).all(|_| client.read() == ok));
            assert!(client.read().bytes() == &large[1..len - 1], "GETRANGE of {len}");
            let all = client.read();
            for (index, expected) in [&large[..], &large, b"x", &large].iter().enumerate() {
                assert!(all.items()[index].bytes() == *expected, "{index} of {len}");
            }
            assert!(all.items()[4].is_nothing());
            assert!(client.read().bytes() == large, "GETSET of {len}");
            assert!(client.read().bytes() == &large[1..], "GETEX of {len}");
            assert_eq!(client.read().int(), 1);
            assert_eq!(client.read().int(), len as i64 + 3);
            assert!(client.read().bytes() == &large[1..], "GETDEL of {len}");
            assert_eq!(client.read().int(), len as i64 + 3);
            sender.join().unwrap();
        }
    }
}

#[test]
fn announced_lengths_cost_no_memory() {
    let server = Server::start(&["--threads", "1"]);
    server.connect().run("PING");
    let before = server.resident_bytes();
    let head = set_head("k", 512 * MEBIBYTE);
    let clients: Vec<Client> = (0..400)
        .map(|number| {
            let mut client = server.connect();
            client.send(&[&head[..], &vec![b'v'; 1024 * (number % 2)]].concat());
            client
        })
        .collect();
    let mut witness = server.connect();
    wait::until("all have sent", || {
        let list = witness.run("CLIENT LIST").text();
        list.lines().filter(|line| !line.contains("qbuf=0 ")).count() == clients.len()
    });
    let grown = server.resident_bytes() - before;
    assert!(grown < 16 * MEBIBYTE as u64, "{grown} bytes for nothing");
}

#[test]
fn idle_connections_are_small() {
    const COUNT: usize = 8000;
    let server = Server::start(&["--threads", "1"]);
    // It looks at all shards, as the first sweep does: that costs memory once.
    server.connect().run("INFO");
    let mut before = 0;
    wait::until("the server has settled", || {
        let last = std::mem::replace(&mut before, server.resident_bytes());
        std::thread::sleep(Duration::from_millis(200));
        before == last
    });
    let mut clients: Vec<Client> = (0..COUNT).map(|_| server.connect()).collect();
    // Who came last is served last.
    assert_eq!(server.connect().run("PING"), Value::Simple("PONG".into()));
    let opened = (server.resident_bytes() - before) / COUNT as u64;
    // The bar is 1024 for 10,000 of them; what the server takes once counts here too.
    assert!(opened <= 1280, "{opened} bytes for a connection");
    clients.iter_mut().for_each(|client| client.send(b"PING\r\n"));
    for client in &mut clients {
        assert_eq!(client.read(), Value::Simple("PONG".into()));
    }
    let used = (server.resident_bytes() - before) / COUNT as u64;
    assert!(used <= 1536, "{used} bytes for a connection that was used");
}

#[test]
fn a_server_without_free_descriptors_serves_those_it_has() {
    let server = Server::start(&["--threads", "1"]);
    let mut client = server.connect();
    // At its start it fits maxclients to the limit, so this one comes later.
    let limit = Rlimit { current: Some(64), maximum: Some(64) };
    let pid = Pid::from_raw(server.pid() as i32);
    prlimit(pid, Resource::Nofile, limit).unwrap();
    let mut served: Vec<Client> = (0..70).map(|_| server.connect()).collect();
    wait::until("the operator is told", || {
        server.log().iter().any(|line| line.contains("cannot accept"))
    });
    assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
    let before_s = cpu_seconds(&mut client);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
        std::thread::sleep(Duration::from_millis(20));
    }
    let used_s = cpu_seconds(&mut client) - before_s;
    assert!(used_s < 0.2, "{used_s} s of processor time while nothing could be accepted");
    let mut last = served.pop().unwrap();
    served.truncate(10);
    assert_eq!(last.run("PING"), Value::Simple("PONG".into()));
}

fn cpu_seconds(client: &mut Client) -> f64 {
    let text = client.run("INFO cpu").text();
    let fields = text.lines().filter_map(|line| line.strip_prefix("used_cpu_")?.split_once(':'));
    let sums = fields.filter(|(name, _)| ["sys", "user"].contains(name));
    sums.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

#[test]
fn readers_that_never_read_are_cut_when_all_keep_too_much() {
    let server = Server::start(&["--maxmemory-clients", "50000000"]);
    let mut writer = server.connect();
    let large = value(24 * MEBIBYTE);
    set(&mut writer, "k", &large);
    // Values that are stored anyway cost nothing while they are on their way.
    let mut readers: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    readers.iter_mut().for_each(|reader| reader.send(&encode(&["GET", "k"])));
    let before = server.resident_bytes();
    // Longer than it takes to be closed.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(connected(&mut writer), readers.len() + 1);
    readers.iter_mut().for_each(|reader| assert!(reader.read().bytes() == large));
    drop(readers);
    // Once they are gone from the store, they are the readers' alone. (The kernel makes more room
    // where much was read before, so these are new ones.)
    let mut readers: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    for reader in &mut readers {
        set(&mut writer, "other", &large);
        reader.send(&encode(&["GETDEL", "other"]));
        wait::until("the value is taken", || writer.run("EXISTS other").int() == 0);
    }
    wait::until("those who read nothing are closed", || connected(&mut writer) <= 3);
    assert!(server.log().iter().any(|line| line.contains("all clients together")));
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 200 * MEBIBYTE as u64, "{grown} bytes");
}

fn connected(client: &mut Client) -> usize {
    client.run("CLIENT LIST").text().lines().count()
}

#[test]
fn output_is_limited_by_its_class() {
    let server = Server::start(&["--threads", "1"]);
    let mut admin = server.connect();
    let large = value(16 * MEBIBYTE);
    set(&mut admin, "k", &large);
    let limit_to = |admin: &mut Client, limit: &str| {
        let words = ["CONFIG", "SET", "client-output-buffer-limit", limit];
        assert_eq!(admin.command(&words), Value::Simple("OK".into()), "{limit}");
    };
    let shown = admin.run("CONFIG GET client-output-buffer-limit").pairs()[0].1.text();
    assert_eq!(shown, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    for (limit, kind) in [("normal 1000000 0 0", "hard"), ("normal 0 1000000 1", "soft")] {
        limit_to(&mut admin, "normal 0 0 0");
        let mut patient = server.connect();
        patient.send(&encode(&["GET", "k"]));
        let id = reader_id(&mut admin, "get");
        wait::until("it keeps output", || field(&mut admin, id, "omem") > Some(1_000_000));
        limit_to(&mut admin, limit);
        if kind == "hard" {
            server.connect().send(&encode(&["GET", "k"]));
        }
        let said = format!("the {kind} limit");
        wait::until("it is closed", || {
            connected(&mut admin) == 1 && server.log().iter().any(|line| line.contains(&said))
        });
    }
    for (wrong, error) in [
        ("normal 1 2", "Wrong number of arguments"),
        ("other 1 2 3", "Invalid client class"),
        ("normal x 2 3", "Error in hard, soft"),
    ] {
        let reply = admin.command(&["CONFIG", "SET", "client-output-buffer-limit", wrong]);
        assert!(reply.text().contains(error), "{reply}");
    }
}

#[test]
fn a_request_may_not_grow_beyond_its_limit() {
    let server = Server::start(&["--client-query-buffer-limit", "2000000"]);
    let mut client = server.connect();
    let value = vec![b'v'; 1_900_000];
    set(&mut client, "k", &value);
    client.send(&set_head("k", 10_000_000));
    while client.try_send(&[b'v'; 100_000]).is_ok() {}
    assert_eq!(client.bytes_to_end(), b"");
    assert!(server.log().iter().any(|line| line.contains("client-query-buffer-limit")));
    assert_eq!(server.connect().run("STRLEN k").int(), 1_900_000);
}

#[test]
fn silent_clients_are_closed_and_waiting_ones_are_not() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut admin = server.connect();
    let mut silent: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    let mut busy = server.connect();
    assert_eq!(admin.run("CONFIG SET timeout 1"), Value::Simple("OK".into()));
    busy.send(&encode(&["DEBUG", "SLEEP", "3"]));
    wait::until("the silent ones are closed", || connected(&mut admin) == 2);
    silent.iter_mut().for_each(|client| assert_eq!(client.bytes_to_end(), b""));
    assert_eq!(busy.read(), Value::Simple("OK".into()));
}

#[test]
fn an_ending_server_sends_what_it_owes() {
    let mut server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    let large = value(16 * MEBIBYTE);
    set(&mut client, "k", &large);
    client.send(&encode(&["GET", "k"]));
    let mut working = server.connect();
    working.send(&encode(&["DEBUG", "POPULATE", "300000"]));
    let mut admin = server.connect();
    reader_id(&mut admin, "debug");
    reader_id(&mut admin, "get");
    let reading = std::thread::spawn(move || {
        // Its reply is read when the server is ending already.
        std::thread::sleep(Duration::from_millis(300));
        (client.read().bytes().len(), working.read(), client.bytes_to_end())
    });
    let start = Instant::now();
    assert!(server.stop().success());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let (len, worked, rest) = reading.join().unwrap();
    assert_eq!((len, worked), (large.len(), Value::Simple("OK".into())));
    assert_eq!(rest, b"");
    server.forget();
}

#[test]
fn an_ending_server_does_not_wait_for_ever() {
    let mut server = Server::start(&[]);
    let mut client = server.connect();
    set(&mut client, "k", &value(16 * MEBIBYTE));
    client.send(&encode(&["GET", "k"]));
    let start = Instant::now();
    assert!(server.stop().success());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    server.forget();
}
