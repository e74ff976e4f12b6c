//! The process: its command line, its beginning, its end, its memory.

use std::process::{Command, Output};
use std::time::Duration;

use tests::client::Client;
use tests::resp::{Value, encode};
use tests::server::{Server, binary};
use tests::wait;

fn run(flags: &[&str]) -> Output {
    Command::new(binary()).args(flags).output().unwrap()
}

#[test]
fn help_and_version_are_printed() {
    let output = run(&["--version"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("dragonfly v"));
    let output = run(&["--helpfull"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let server = Server::start(&[]);
    for (name, _) in server.connect().run("CONFIG GET *").pairs() {
        assert!(help.contains(&name.text()), "{name} is not in --helpfull");
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_a_reason() {
    for (flags, reason) in [
        (&["--prot", "1"][..], "did you mean --port?"),
        (&["--port", "x"], "couldn't be parsed"),
        (&["--port", "65536"], "between -1 and 65535"),
        (&["--port"], "needs a value"),
        (&["file.conf"], "cannot read"),
        (&["--port", "1", "file.conf"], "unexpected argument"),
        (&["--threads", "-1"], "between"),
        (&["--loglevel", "loud"], "must be one of"),
        (&["--bind", "nowhere"], "is not an address"),
        (&["--unixsocketperm", "999"], "octal"),
        (&["--save", "3600 1"], "data are kept in memory only"),
        (&["--appendonly", "yes"], "data are kept in memory only"),
        (&["--databases", "17"], "there are always 16"),
        (&["--port", "0", "--unixsocket", "/no/such/directory/x.sock"], "cannot listen"),
    ] {
        let output = run(flags);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {text}");
        assert!(text.contains(reason), "{flags:?}: {text}");
        assert!(!text.contains("panic"), "{flags:?}: {text}");
    }
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let server = Server::start(&[]);
    let port = server.port().to_string();
    let output = run(&["--port", &port, "--bind", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("cannot listen") && text.contains(&port), "{text}");
}

#[test]
fn the_port_that_was_found_is_shown() {
    let server = Server::start(&["--port", "-1"]);
    let shown = server.connect().run("CONFIG GET port").pairs();
    assert_eq!(shown[0].1.text(), server.port().to_string());
}

#[test]
fn it_listens_elsewhere_when_told_so() {
    let (server, taken) = (Server::start(&[]), Server::start(&[]));
    let at = |ip: [u8; 4], port| Client::tcp((ip, port).into());
    let (here, everywhere) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    let failed = "ERR CONFIG SET failed (possibly related to argument ";
    let mut first = server.connect();
    let refusal = first.run(&format!("CONFIG SET port {}", taken.port()));
    assert!(refusal.is_error(&format!("{failed}'port') - Unable to listen")), "{refusal:?}");
    assert!(at(here, server.port()).is_ok());

    assert_eq!(first.run("CONFIG SET port -1").text(), "OK");
    let port: u16 = first.run("CONFIG GET port").pairs()[0].1.text().parse().unwrap();
    assert!(port != server.port() && at(here, server.port()).is_err());
    assert_eq!(at(here, port).unwrap().run("PING").text(), "PONG");
    assert_eq!(first.run("PING").text(), "PONG", "who was there stays");

    let refusal = first.run("CONFIG SET bind 999.0.0.1");
    assert!(refusal.is_error(&format!("{failed}'bind') - Failed to bind")), "{refusal:?}");
    assert!(at(everywhere, port).is_err());
    assert_eq!(first.command(&["CONFIG", "SET", "bind", ""]).text(), "OK");
    assert!(at(here, port).is_err());
    assert_eq!(first.run("CONFIG SET bind *").text(), "OK");
    for ip in [here, everywhere] {
        assert_eq!(at(ip, port).unwrap().run("PING").text(), "PONG");
    }
    // An address that stands in the way of the one that follows.
    assert_eq!(first.run("CONFIG SET bind 127.0.0.1").text(), "OK");
    assert!(at(everywhere, port).is_err());
    assert_eq!(at(here, port).unwrap().run("PING").text(), "PONG");
}

#[test]
fn any_number_of_threads_serves() {
    for threads in ["1", "2", "3", "16", "0"] {
        let server = Server::start(&["--threads", threads]);
        let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.run("INCR n").int(), number as i64 + 1);
        }
    }
}

#[test]
fn a_server_under_load_ends_when_asked_to() {
    let mut server = Server::start(&[]);
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    let stream = encode(&["INCR", "n"]).repeat(2000);
    for client in &mut clients {
        client.send(&stream);
    }
    // Half of them never read; `stop` panics when the process does not end.
    for client in &mut clients[..10] {
        assert!(client.read().int() > 0);
    }
    assert!(server.stop().success());
    server.forget();
}

#[test]
fn a_server_that_has_just_said_that_it_is_ready_ends_well_too() {
    for _ in 0..20 {
        let mut server = Server::start(&["--port", "0", "--unixsocket", "x.sock"]);
        let path = server.directory().join("x.sock");
        assert!(server.stop().success());
        assert!(!path.exists(), "the socket's file is still there");
        server.forget();
    }
}

/// A number of INFO.
fn info(client: &mut Client, name: &str) -> u64 {
    let text = client.run("INFO").text();
    let start = format!("{name}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

#[test]
fn memory_is_counted_and_given_back() {
    const KEYS: u64 = 200_000;
    const SIZE: u64 = 200;
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    let before = info(&mut client, "used_memory");
    assert!(before < 16 << 20, "{before} bytes for nothing");
    client.run(&format!("DEBUG POPULATE {KEYS} key {SIZE}"));
    let full = info(&mut client, "used_memory");
    let per_key = (full - before) as f64 / KEYS as f64;
    assert!((210.0..260.0).contains(&per_key), "{per_key} bytes a key");
    let resident = server.resident_bytes();
    assert!(resident < full + (64 << 20), "{resident} resident for {full}");
    assert!(info(&mut client, "used_memory_peak") >= full);
    assert_eq!(client.run("FLUSHALL"), Value::Simple("OK".into()));
    wait::within(Duration::from_secs(20), "the memory of all keys is counted back", || {
        info(&mut client, "used_memory") < before + (2 << 20)
    });
}

#[test]
fn memory_of_deleted_keys_is_counted_back() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    let before = info(&mut client, "used_memory");
    for _ in 0..3 {
        client.run("DEBUG POPULATE 100000 key 100");
        for first in (0..100_000).step_by(10_000) {
            let mut words = vec!["DEL".to_owned()];
            words.extend((first..first + 10_000).map(|number| format!("key:{number}")));
            assert_eq!(client.command(&words).int(), 10_000);
        }
        assert_eq!(client.run("DBSIZE").int(), 0);
    }
    wait::within(Duration::from_secs(20), "the memory of deleted keys is counted back", || {
        info(&mut client, "used_memory") < before + (2 << 20)
    });
}

#[test]
fn statistics_count() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let commands = info(&mut client, "total_commands_processed");
    client.send(&encode(&["GET", "nokey"]).repeat(1000));
    (0..1000).for_each(|_| assert!(client.read().is_nothing()));
    client.run("SET k v");
    client.run("MGET k k nokey");
    assert_eq!(info(&mut client, "keyspace_misses"), 1001);
    assert_eq!(info(&mut client, "keyspace_hits"), 2);
    let now = info(&mut client, "total_commands_processed");
    assert!((commands + 1000..commands + 1010).contains(&now), "{now} after {commands}");
    assert_eq!(info(&mut client, "connected_clients"), 1);
    assert_eq!(info(&mut client, "process_id"), u64::from(server.pid()));
    assert_eq!(info(&mut client, "tcp_port"), u64::from(server.port()));
    assert!(info(&mut client, "total_net_input_bytes") > 20_000);
    assert!(info(&mut client, "total_net_output_bytes") > 5000);
}
