//! What one client does to others: pauses, unblocking, killing, watching.

use std::time::{Duration, Instant};

use tests::resp::{Value, encode};
use tests::server::Server;
use tests::wait;

#[test]
fn replies_can_be_turned_off_and_skipped() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(b"CLIENT REPLY OFF\r\nSET a 1\r\nGET a\r\nNOSUCH\r\nINFO\r\n");
    client.send(b"CLIENT REPLY ON\r\nGET a\r\nCLIENT REPLY SKIP\r\nGET a\r\n");
    client.send(b"CLIENT REPLY SKIP\r\nINFO\r\nECHO end\r\n");
    assert_eq!(client.read(), Value::Simple("OK".into()));
    assert_eq!(client.read(), Value::Bulk(b"1".to_vec()));
    assert_eq!(client.read(), Value::Bulk(b"end".to_vec()));
}

#[test]
fn a_pause_holds_commands_back_until_it_ends() {
    let server = Server::start(&["--threads", "2"]);
    let mut admin = server.connect();
    let mut others: Vec<_> = (0..4).map(|_| server.connect()).collect();
    admin.run("SET k 1");
    admin.run("CLIENT PAUSE 100000 WRITE");
    for other in &mut others {
        assert_eq!(other.run("GET k"), Value::Bulk(b"1".to_vec()));
        other.send(b"SET k 2\r\nGET k\r\n");
    }
    wait::until("four clients are held back", || {
        admin.run("CLIENT LIST FLAGS b").bytes().iter().filter(|byte| **byte == b'\n').count() == 4
    });
    assert_eq!(admin.run("GET k"), Value::Bulk(b"1".to_vec()));
    assert_eq!(admin.run("CLIENT UNPAUSE"), Value::Simple("OK".into()));
    for other in &mut others {
        assert_eq!(other.read(), Value::Simple("OK".into()));
        assert_eq!(other.read(), Value::Bulk(b"2".to_vec()));
    }
    let begin = Instant::now();
    admin.run("CLIENT PAUSE 200");
    assert_eq!(admin.run("GET k"), Value::Bulk(b"2".to_vec()));
    assert!(begin.elapsed() >= Duration::from_millis(190), "{:?}", begin.elapsed());
}

#[test]
fn a_waiting_client_is_unblocked() {
    let server = Server::start(&[]);
    let (mut admin, mut waiting) = (server.connect(), server.connect());
    let Value::Integer(id) = waiting.run("CLIENT ID") else { panic!("no id") };
    let blocked =
        |client: &mut tests::client::Client| !client.run("CLIENT LIST FLAGS b").bytes().is_empty();
    for (how, expected) in [
        ("TIMEOUT", Value::Integer(0)),
        ("ERROR", Value::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK".into())),
    ] {
        waiting.send(b"WAIT 1 0\r\n");
        wait::until("it waits", || blocked(&mut admin));
        assert_eq!(admin.run(&format!("CLIENT UNBLOCK {id} {how}")), Value::Integer(1));
        assert_eq!(waiting.read(), expected);
        assert_eq!(admin.run(&format!("CLIENT UNBLOCK {id}")), Value::Integer(0));
    }
    // A time that was not used up does not end a later wait.
    waiting.send(b"WAIT 1 150\r\n");
    wait::until("it waits", || blocked(&mut admin));
    admin.run(&format!("CLIENT UNBLOCK {id}"));
    assert_eq!(waiting.read(), Value::Integer(0));
    let begin = Instant::now();
    assert_eq!(waiting.run("WAIT 1 300"), Value::Integer(0));
    assert!(begin.elapsed() >= Duration::from_millis(290), "{:?}", begin.elapsed());
}

#[test]
fn a_monitor_sees_commands_but_no_passwords() {
    let server = Server::start(&[]);
    let (mut monitor, mut client) = (server.connect(), server.connect());
    assert_eq!(monitor.run("MONITOR"), Value::Simple("OK".into()));
    client.run("SELECT 3");
    client.send(&encode(&["SET", "a", "x\n\0\""]));
    client.read();
    client.run("KEYS *");
    client.run("AUTH user secret");
    client.run("CONFIG GET port");
    client.run("GET nothing more");
    client.run("ECHO end");
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|line: &String| line.contains("\"end\"")) {
        let Value::Simple(line) = monitor.read() else { panic!("not a status") };
        let (_, after) = line.split_once("] ").unwrap();
        assert!(line.contains(" [3 127.0.0.1:") || seen.is_empty(), "{line}");
        seen.push(after.to_owned());
    }
    let expected = [
        r#""SELECT" "3""#,
        r#""SET" "a" "x\n\x00\"""#,
        r#""KEYS" "*""#,
        r#""AUTH" "(redacted)" "(redacted)""#,
        r#""ECHO" "end""#,
    ];
    assert_eq!(seen, expected);
}

#[test]
fn clients_are_killed_by_what_they_are() {
    let server = Server::start(&[]);
    let mut admin = server.connect();
    let mut named = server.connect();
    named.run("CLIENT SETNAME victim");
    named.run("SELECT 5");
    let mut spared = server.connect();
    assert_eq!(admin.run("CLIENT KILL NAME victim DB 4"), Value::Integer(0));
    assert_eq!(admin.run("CLIENT KILL NAME victim DB 5 NOT-ID 999"), Value::Integer(1));
    wait::until("it is gone", || admin.run("CLIENT LIST NAME victim").bytes().is_empty());
    assert_eq!(spared.run("PING"), Value::Simple("PONG".into()));
    assert_eq!(admin.run("CLIENT KILL TYPE normal"), Value::Integer(1));
    assert_eq!(admin.run("PING"), Value::Simple("PONG".into()));
}
