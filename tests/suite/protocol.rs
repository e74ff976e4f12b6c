//! The wire, byte by byte: what clients send well, badly, in pieces and in masses.

use std::time::Duration;

use tests::client::Client;
use tests::resp::{Value, encode};
use tests::server::Server;
use tests::wait;

const MEBIBYTE: u64 = 1024 * 1024;

/// Sends bytes and reads what comes until the server closes the connection.
fn answer_and_end(server: &Server, bytes: &[u8]) -> String {
    let mut client = server.connect();
    client.send(bytes);
    String::from_utf8_lossy(&client.bytes_to_end()).into_owned()
}

/// Sends bytes, then QUIT; the bytes that come, with that to QUIT.
fn answer(server: &Server, bytes: &[u8]) -> String {
    answer_and_end(server, &[bytes, b"\r\nQUIT\r\n"].concat())
}

#[test]
fn a_pipeline_is_answered_in_order_however_it_is_cut() {
    let server = Server::start(&[]);
    let mut stream = Vec::new();
    let mut expected = String::new();
    for (command, reply) in [
        (&["SET", "k", "v"][..], "+OK\r\n"),
        (&["GET", "k"], "$1\r\nv\r\n"),
        (&["MSET", "a", "1", "b", "", "c", "3"], "+OK\r\n"),
        (&["MGET", "a", "b", "c", "d"], "*4\r\n$1\r\n1\r\n$0\r\n\r\n$1\r\n3\r\n$-1\r\n"),
        (&["NOSUCH"], "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"),
        (&["GET"], "-ERR wrong number of arguments for 'get' command\r\n"),
        (&["ECHO", "\r\n*1\r\n$4\r\nPING\r\n"], "$16\r\n\r\n*1\r\n$4\r\nPING\r\n\r\n"),
        (&["INCR", "n"], ":1\r\n"),
        (&["DEL", "n", "a"], ":2\r\n"),
    ] {
        stream.extend(encode(command));
        expected.push_str(reply);
    }
    stream.extend(b"PING\r\n  echo 'a b' \n\r\n*0\r\n*-1\r\n*-7\r\n");
    expected.push_str("+PONG\r\n$3\r\na b\r\n");
    stream.extend(encode(&["QUIT"]));
    expected.push_str("+OK\r\n");
    for cut in 0..=stream.len() {
        let mut client = server.connect();
        client.send(&stream[..cut]);
        // What was sent before the cut must not wait for what comes behind it: the second half is
        // sent when the first has been read.
        let mut witness = server.connect();
        assert_eq!(witness.run("PING"), Value::Simple("PONG".into()));
        client.send(&stream[cut..]);
        let got = String::from_utf8_lossy(&client.bytes_to_end()).into_owned();
        assert_eq!(got, expected, "cut at {cut}");
    }
    let mut client = server.connect();
    stream.iter().for_each(|byte| client.send(&[*byte]));
    assert_eq!(String::from_utf8_lossy(&client.bytes_to_end()), expected);
}

#[test]
fn a_hundred_thousand_commands_in_one_pipeline() {
    const COMMANDS: usize = 100_000;
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut stream = Vec::new();
    for number in 0..COMMANDS {
        let key = format!("key:{}", number % 1000);
        match number % 4 {
            0 => stream.extend(encode(&["SET", &key, &number.to_string()])),
            1 => stream.extend(encode(&["INCR", "counter"])),
            2 => stream.extend(encode(&["GET", &format!("key:{}", (number - 2) % 1000)])),
            _ => stream.extend(encode(&["ECHO", &number.to_string()])),
        }
    }
    let sender = client.send_beside(stream);
    for number in 0..COMMANDS {
        let reply = client.read();
        match number % 4 {
            0 => assert_eq!(reply, Value::Simple("OK".into())),
            1 => assert_eq!(reply.int(), (number as i64 + 3) / 4),
            2 => assert_eq!(reply.text(), (number - 2).to_string()),
            _ => assert_eq!(reply.text(), number.to_string()),
        }
    }
    sender.join().unwrap();
    assert_eq!(client.run("DBSIZE").int(), 251);
}

#[test]
fn inline_commands() {
    let server = Server::start(&[]);
    for (line, reply) in [
        ("PING", "+PONG\r\n"),
        ("ping\r", "+PONG\r\n"),
        ("   PING   ", "+PONG\r\n"),
        ("ECHO \"a b\"", "$3\r\na b\r\n"),
        ("ECHO 'a b'", "$3\r\na b\r\n"),
        ("ECHO 'it\\'s'", "$4\r\nit's\r\n"),
        ("ECHO 'a\\nb'", "$4\r\na\\nb\r\n"),
        ("ECHO \"\\x41\\n\\r\\t\\a\\b\\\\\\\"\"", "$8\r\nA\n\r\t\u{7}\u{8}\\\"\r\n"),
        ("ECHO \"\"", "$0\r\n\r\n"),
        ("ECHO a\"b\"", "$2\r\nab\r\n"),
        ("\tECHO\tx", "$1\r\nx\r\n"),
        ("", ""),
        ("\"\" x", "-ERR unknown command '', with args beginning with: 'x' \r\n"),
        ("SET k \"\\x00\\xff\"", "+OK\r\n"),
    ] {
        let got = answer(&server, format!("{line}\n").as_bytes());
        assert_eq!(got, format!("{reply}+OK\r\n"), "{line:?}");
    }
    assert_eq!(server.connect().run("GET k"), Value::Bulk(vec![0, 0xff]));
}

#[test]
fn what_is_no_request_is_refused_and_ends_the_connection() {
    let server = Server::start(&[]);
    let long = "x".repeat(70_000);
    for (bytes, error) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*1000000000\r\n", "invalid multibulk length"),
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*9223372036854775808\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("* 1\r\n", "invalid multibulk length"),
        ("*1\r\n!4\r\nPING\r\n", "expected '$', got '!'"),
        ("*1\r\nPING\r\n", "expected '$', got 'P'"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("ECHO 'open\n", "unbalanced quotes in request"),
        ("ECHO \"open\r\n", "unbalanced quotes in request"),
        ("ECHO \"a\"b\r\n", "unbalanced quotes in request"),
        (&long, "too big inline request"),
        (&format!("*{long}"), "too big mbulk count string"),
        (&format!("*1\r\n${long}"), "too big bulk count string"),
    ] {
        let got = answer_and_end(&server, bytes.as_bytes());
        let expected = format!("-ERR Protocol error: {error}\r\n");
        assert_eq!(got, expected, "{:?}", &bytes[..bytes.len().min(40)]);
        // What was right before is answered first, what comes behind it is not.
        let sandwich = format!("PING\r\n{bytes}\r\nPING\r\n");
        if !bytes.starts_with('x') {
            assert_eq!(
                answer_and_end(&server, sandwich.as_bytes()),
                format!("+PONG\r\n{expected}")
            );
        }
    }
}

#[test]
fn bytes_that_are_not_where_a_line_should_end_are_refused() {
    // Redis 7 skips the two bytes unseen; we say that they are wrong.
    let server = Server::start(&[]);
    let got = answer_and_end(&server, b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n");
    assert_eq!(got, "-ERR Protocol error: expected CRLF after bulk\r\n");
}

#[test]
fn empty_arrays_are_skipped() {
    let server = Server::start(&[]);
    assert_eq!(answer(&server, b"*0\r\n*-1\r\n*-10\r\n\r\n\n*1\r\n$4\r\nPING"), "+PONG\r\n+OK\r\n");
}

#[test]
fn an_announced_length_reserves_no_memory() {
    let server = Server::start(&[]);
    let before = server.resident_bytes();
    let mut clients: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc");
    }
    let mut counts: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    for client in &mut counts {
        client.send(b"*1000000\r\n$1\r\nx\r\n");
    }
    // When a later connection on each thread is answered, the others' bytes have been read.
    for _ in 0..8 {
        assert_eq!(server.connect().run("PING"), Value::Simple("PONG".into()));
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 * MEBIBYTE, "60 announcements took {grown} bytes");
}

#[test]
fn web_browsers_are_not_served() {
    // Redis ends a connection that speaks HTTP, lest a web page make a browser send commands.
    let server = Server::start(&[]);
    let firsts = [
        "POST / HTTP/1.1",
        "Host: localhost",
        "*1\r\n$4\r\npost",
        "GET / HTTP/1.1",
        "set / HTTP/1.0",
        "PUT /x HTTP/1.1",
    ];
    for (number, first) in firsts.into_iter().enumerate() {
        let mut client = server.connect();
        client.send(format!("{first}\r\nSET attacked yes\r\n").as_bytes());
        assert_eq!(client.bytes_to_end(), b"", "after {first}");
        wait::until("the operator is told", || {
            let told = |line: &&String| line.contains("SECURITY ATTACK");
            server.log().iter().filter(told).count() == number + 1
        });
        assert!(server.connect().run("GET attacked").is_nothing(), "after {first}");
    }
    // As arguments of a command that no browser sends, they mean nothing.
    let mut client = server.connect();
    assert_eq!(client.command(&["SET", "/", "HTTP/1.1"]), Value::Simple("OK".into()));
    assert_eq!(client.run("GET /").text(), "HTTP/1.1");
}

#[test]
fn nothing_behind_quit_is_done() {
    let server = Server::start(&[]);
    let bytes = b"SET k 1\r\nQUIT\r\nSET k 2\r\nSET k 3\r\n";
    assert_eq!(answer_and_end(&server, bytes), "+OK\r\n+OK\r\n");
    assert_eq!(server.connect().run("GET k").text(), "1");
}

#[test]
fn a_client_that_sends_and_hangs_up_is_served() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut stream = Vec::new();
    (0..1000).for_each(|_| stream.extend(encode(&["INCR", "n"])));
    stream.extend(b"*2\r\n$3\r\nGET\r\n$1\r\n");
    client.send(&stream);
    client.finish();
    assert_eq!(client.read_to_end().len(), 1000);
    assert_eq!(server.connect().run("GET n").text(), "1000");
}

#[test]
fn before_login_little_may_be_sent() {
    let server = Server::start(&["--requirepass", "secret"]);
    let refused = "-NOAUTH Authentication required.\r\n";
    assert_eq!(answer(&server, b"PING"), format!("{refused}+OK\r\n"));
    let ten = format!("*10\r\n{}", "$1\r\nx\r\n".repeat(10));
    assert!(answer(&server, ten.as_bytes()).starts_with("-ERR unknown command 'x'"));
    for (bytes, error) in [
        ("*11\r\n", "unauthenticated multibulk length"),
        ("*1000000000\r\n", "unauthenticated multibulk length"),
        ("*2\r\n$3\r\nGET\r\n$16385\r\n", "unauthenticated bulk length"),
        ("*2\r\n$3\r\nGET\r\n$536870912\r\n", "unauthenticated bulk length"),
    ] {
        let got = answer_and_end(&server, bytes.as_bytes());
        assert_eq!(got, format!("-ERR Protocol error: {error}\r\n"), "{bytes:?}");
    }
    let key = "k".repeat(16_384);
    let bytes = encode(&["GET", &key]);
    assert_eq!(answer(&server, &bytes[..bytes.len() - 2]), format!("{refused}+OK\r\n"));
    // The limits end with the login, within one pipeline too.
    let mut stream = encode(&["AUTH", "secret"]);
    stream.extend(encode(&vec!["MGET"; 100]));
    stream.extend(encode(&["ECHO", &key.repeat(2)]));
    let mut client = server.connect();
    client.send(&stream);
    assert_eq!(client.read(), Value::Simple("OK".into()));
    assert_eq!(client.read().items().len(), 99);
    assert_eq!(client.read().bytes().len(), 32_768);
    // … and come back with RESET.
    assert_eq!(client.run("RESET"), Value::Simple("RESET".into()));
    client.send(b"*11\r\n");
    assert!(client.read().is_error("ERR Protocol error: unauthenticated multibulk length"));
    assert!(client.read_to_end().is_empty());
}

#[test]
fn a_large_value_goes_there_and_back() {
    const LENGTH: usize = 64 * 1024 * 1024;
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut value: Vec<u8> = (0..LENGTH).map(|index| (index % 251) as u8).collect();
    let sender = client.send_beside(encode(&[b"SET", &b"large"[..], &value]));
    assert_eq!(client.read(), Value::Simple("OK".into()));
    sender.join().unwrap();
    assert_eq!(client.run("STRLEN large").int(), LENGTH as i64);
    assert_eq!(client.command(&[&b"APPEND"[..], b"large", b"\r\n"]).int(), LENGTH as i64 + 2);
    value.extend(b"\r\n");
    assert!(client.run("GET large").bytes() == value, "the value changed");
    assert_eq!(client.run("GETRANGE large 1000 1003").bytes(), &value[1000..=1003]);
    assert_eq!(client.run("RENAME large other"), Value::Simple("OK".into()));
    assert_eq!(client.run("COPY other copy").int(), 1);
    assert_eq!(client.run("DEL other").int(), 1);
    assert!(client.run("GET copy").bytes() == value, "the copy is none");
    assert_eq!(client.run("FLUSHALL"), Value::Simple("OK".into()));
    wait::within(Duration::from_secs(20), "the memory of large values is given back", || {
        server.resident_bytes() < 100 * MEBIBYTE
    });
}

#[test]
fn who_does_not_read_replies_neither_fills_memory_nor_stops_others() {
    const COMMANDS: usize = 400;
    let server = Server::start(&["--threads", "1"]);
    let mut other = server.connect();
    let value = vec![b'x'; MEBIBYTE as usize];
    assert_eq!(other.command(&[&b"SET"[..], b"k", &value]), Value::Simple("OK".into()));
    let before = server.resident_bytes();
    let mut greedy = server.connect();
    let id = greedy.run("CLIENT ID").int();
    // The requests are so short that the socket takes them all.
    (0..COMMANDS).for_each(|_| greedy.send_command(&["GET", "k"]));
    let (mut most, mut sent, mut unchanged) = (0, String::new(), 0);
    while unchanged < 200 {
        let line = other.run(&format!("CLIENT LIST ID {id}")).text();
        most = most.max(server.resident_bytes());
        let now_sent = field(&line, "tot-net-out");
        unchanged = if now_sent == sent { unchanged + 1 } else { 0 };
        sent = now_sent;
    }
    let grown = most.saturating_sub(before);
    assert!(grown < 64 * MEBIBYTE, "{grown} bytes for replies that nobody reads");
    for _ in 0..COMMANDS {
        assert_eq!(greedy.read().bytes().len(), value.len());
    }
    assert_eq!(greedy.run("PING"), Value::Simple("PONG".into()));
}

#[test]
fn a_slow_sender_holds_nobody_up() {
    let server = Server::start(&["--threads", "1"]);
    let mut slow = server.connect();
    let mut other = server.connect();
    for byte in encode(&["SET", "slow", "value"]) {
        slow.send(&[byte]);
        assert_eq!(other.run("PING"), Value::Simple("PONG".into()));
    }
    assert_eq!(slow.read(), Value::Simple("OK".into()));
}

#[test]
fn a_unix_socket_serves_as_well() {
    let first = Server::start(&["--unixsocket", "store.sock", "--unixsocketperm", "700"]);
    let path = first.directory().join("store.sock");
    let mut client = Client::unix(&path).unwrap();
    assert_eq!(client.run("SET k v"), Value::Simple("OK".into()));
    assert_eq!(first.connect().run("GET k").text(), "v");
    assert!(client.run("CLIENT INFO").text().contains("store.sock"));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_unix_socket_alone_is_enough_and_is_gone_with_the_server() {
    let mut server = Server::start(&["--port", "0", "--unixsocket", "only.sock"]);
    let path = server.directory().join("only.sock");
    let mut client = Client::unix(&path).unwrap();
    assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
    assert!(server.stop().success());
    assert!(!path.exists(), "the socket's file is still there");
    server.forget();
}

#[test]
fn both_loopback_addresses_are_served_by_default() {
    let server = Server::start(&["--bind", "* -::*"]);
    let mut client = server.connect();
    assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
    let address = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, server.port()));
    // A machine without IPv6 has no such address.
    if std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok() {
        let mut client = Client::tcp(address).unwrap();
        assert!(client.run("CLIENT INFO").text().contains("addr=[::1]:"));
    }
}

#[test]
fn hello_introduces_the_server_and_chooses_the_protocol() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let names = ["server", "version", "proto", "id", "mode", "role", "modules"];
    let fields = |reply: &Value| -> Vec<String> {
        reply.pairs().iter().map(|(name, _)| name.text()).collect()
    };
    let reply = client.run("HELLO");
    assert!(matches!(reply, Value::Array(_)));
    assert_eq!(fields(&reply), names);
    let reply = client.run("HELLO 3");
    assert!(matches!(reply, Value::Map(_)));
    assert_eq!(fields(&reply), names);
    assert_eq!(client.run("GET nokey"), Value::Null);
    assert!(matches!(client.run("CONFIG GET port"), Value::Map(_)));
    // A wrong HELLO changes nothing.
    assert!(client.run("HELLO 2 FOO").is_error("ERR Syntax error in HELLO option 'FOO'"));
    assert!(client.run("HELLO 2 AUTH nosuch x").is_error("WRONGPASS"));
    assert_eq!(client.run("GET nokey"), Value::Null);
    assert!(matches!(client.run("HELLO 2"), Value::Array(_)));
    assert_eq!(client.run("GET nokey"), Value::NullBulk);
    // Replies behind a HELLO in one pipeline are in its protocol.
    client.send(b"GET nokey\r\nHELLO 3\r\nGET nokey\r\nHELLO 2\r\nGET nokey\r\n");
    let replies: Vec<Value> = (0..5).map(|_| client.read()).collect();
    assert_eq!([&replies[0], &replies[2]], [&Value::NullBulk, &Value::Null]);
    assert_eq!(replies[4], Value::NullBulk);
}

#[test]
fn reset_makes_a_connection_new() {
    let server = Server::start(&[]);
    let mut client = server.connect_resp3();
    client.run("SELECT 9");
    client.run("CLIENT SETNAME me");
    client.run("CLIENT SETINFO lib-name library");
    client.send(b"RESET\r\nGET nokey\r\nCLIENT GETNAME\r\nCLIENT INFO\r\n");
    assert_eq!(client.read(), Value::Simple("RESET".into()));
    assert_eq!(client.read(), Value::NullBulk);
    assert_eq!(client.read(), Value::NullBulk);
    let line = client.read().text();
    for piece in [" name= ", " db=0 ", " resp=2 ", " lib-name=library "] {
        assert!(line.contains(piece), "{piece} is not in {line}");
    }
}

#[test]
fn sixteen_databases_are_apart() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for db in 0..16 {
        client.run(&format!("SELECT {db}"));
        client.run(&format!("SET k {db}"));
        client.run(&format!("SET only{db} x"));
    }
    let mut other = server.connect();
    for db in 0..16 {
        other.run(&format!("SELECT {db}"));
        assert_eq!(other.run("GET k").text(), db.to_string());
        assert_eq!(other.run("DBSIZE").int(), 2);
        assert_eq!(other.run("KEYS only*").texts(), [format!("only{db}")]);
    }
    other.run("FLUSHDB");
    assert_eq!(client.run("SELECT 14"), Value::Simple("OK".into()));
    assert_eq!(client.run("DBSIZE").int(), 2);
    assert!(client.run("SELECT 16").is_error("ERR DB index is out of range"));
    assert_eq!(client.run("GET k").text(), "14");
}

/// The value of a field in a line of CLIENT LIST.
fn field(line: &str, name: &str) -> String {
    let start = format!("{name}=");
    let found = line.split(' ').find_map(|word| word.strip_prefix(&start));
    found.unwrap_or_else(|| panic!("no {name} in {line}")).trim_end().to_owned()
}

#[test]
fn connections_spread_evenly_over_threads() {
    let server = Server::start(&["--threads", "4"]);
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    let mut counts = [0; 4];
    for client in &mut clients {
        let line = client.run("CLIENT INFO").text();
        counts[field(&line, "io-thread").parse::<usize>().unwrap()] += 1;
    }
    // The harness's own connection may have been there still when the first came.
    assert!(counts.iter().all(|count| (8..=12).contains(count)), "{counts:?}");
    let listed = clients[0].run("CLIENT LIST").text();
    assert_eq!(listed.lines().count(), 40);
    // Who goes makes room for others.
    let survivors: Vec<Client> = clients
        .drain(..)
        .filter_map(|mut client| {
            let line = client.run("CLIENT INFO").text();
            (field(&line, "io-thread") == "0").then_some(client)
        })
        .collect();
    let mut observer = server.connect();
    wait::until("the others are gone", || {
        observer.run("CLIENT LIST").text().lines().count() == survivors.len() + 1
    });
    for _ in 0..10 {
        let mut client = server.connect();
        assert_ne!(field(&client.run("CLIENT INFO").text(), "io-thread"), "0");
    }
}

#[test]
fn client_list_tells_what_a_connection_did() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.run("SELECT 3");
    client.run("CLIENT SETNAME somebody");
    client.run("GET k");
    let id = client.run("CLIENT ID").int();
    let mut observer = server.connect();
    let line = observer.run(&format!("CLIENT LIST ID {id}")).text();
    assert!(line.ends_with('\n') && line.lines().count() == 1);
    for (name, value) in [
        ("id", id.to_string()),
        ("name", "somebody".into()),
        ("db", "3".into()),
        ("cmd", "client|id".into()),
        ("resp", "2".into()),
        ("user", "default".into()),
        ("tot-cmds", "4".into()),
    ] {
        assert_eq!(field(&line, name), value, "{name} in {line}");
    }
    assert!(field(&line, "tot-net-in").parse::<u64>().unwrap() > 50);
    assert!(field(&line, "tot-net-out").parse::<u64>().unwrap() > 5);
    let own = observer.run("CLIENT INFO").text();
    assert_eq!(field(&own, "cmd"), "client|info");
    let mut stranger = server.connect();
    let stranger_id = stranger.run("CLIENT ID").int();
    stranger.run("NOSUCH");
    let line = observer.run(&format!("CLIENT LIST ID {stranger_id}")).text();
    assert_eq!(field(&line, "cmd"), "NULL", "a command that does not exist");
    assert_ne!(field(&own, "id"), field(&line, "id"));
    drop(client);
    wait::until("a closed connection is listed no more", || {
        observer.run(&format!("CLIENT LIST ID {id}")).text().is_empty()
    });
}

#[test]
fn killed_connections_end_and_others_stay() {
    let server = Server::start(&[]);
    let mut killer = server.connect();
    let mut victims: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    let ids: Vec<i64> = victims.iter_mut().map(|client| client.run("CLIENT ID").int()).collect();
    for (client, id) in victims.iter_mut().zip(&ids).take(5) {
        assert_eq!(killer.run(&format!("CLIENT KILL ID {id}")).int(), 1);
        assert!(client.read_to_end().is_empty());
    }
    for client in &mut victims[5..] {
        assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
    }
    let address = field(&victims[5].run("CLIENT INFO").text(), "addr");
    assert_eq!(killer.run(&format!("CLIENT KILL {address}")), Value::Simple("OK".into()));
    assert!(victims[5].read_to_end().is_empty());
    assert!(killer.run(&format!("CLIENT KILL {address}")).is_error("ERR No such client"));
    assert_eq!(killer.run("CLIENT KILL TYPE normal").int(), 4);
    for client in &mut victims[6..] {
        assert!(client.read_to_end().is_empty());
    }
    // Who kills itself is told so first, and nothing behind that is done.
    killer.send(b"CLIENT KILL TYPE normal SKIPME no\r\nSET k v\r\n");
    assert_eq!(killer.read(), Value::Integer(1));
    assert!(killer.read_to_end().is_empty());
    assert_eq!(server.connect().run("EXISTS k").int(), 0);
}

#[test]
fn a_victim_in_the_midst_of_a_long_pipeline_is_killed() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut victim = server.connect();
    let id = victim.run("CLIENT ID").int();
    victim.send(b"DEBUG SLEEP 3600\r\nPING\r\n");
    assert_eq!(server.connect().run(&format!("CLIENT KILL ID {id}")).int(), 1);
    assert!(victim.read_to_end().is_empty());
}

#[test]
fn no_more_clients_than_allowed() {
    let server = Server::start(&["--maxclients", "5"]);
    let mut first = server.connect();
    wait::until("the harness's connection is gone", || {
        first.run("CLIENT LIST").text().lines().count() == 1
    });
    let mut clients: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
    }
    let mut refused = server.connect();
    assert_eq!(refused.bytes_to_end(), b"-ERR max number of clients reached\r\n");
    assert!(first.run("INFO stats").text().contains("rejected_connections:1\r\n"));
    clients.pop();
    wait::until("there is room again", || {
        let mut client = server.connect();
        client.try_send(b"PING\r\n").is_ok() && client.read() == Value::Simple("PONG".into())
    });
    first.run("CONFIG SET maxclients 100");
    for _ in 0..10 {
        clients.push(server.connect());
    }
    for client in &mut clients {
        assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
    }
}

#[test]
fn many_connections_come_and_go() {
    let server = Server::start(&[]);
    for round in 0..20 {
        let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.send_command(&["SET", &format!("{round}:{number}"), "v"]);
        }
        for client in &mut clients {
            assert_eq!(client.read(), Value::Simple("OK".into()));
        }
    }
    let mut client = server.connect();
    assert_eq!(client.run("DBSIZE").int(), 2000);
    wait::until("all are gone", || client.run("CLIENT LIST").text().lines().count() == 1);
    let stats = client.run("INFO stats").text();
    let received = stats.lines().find_map(|l| l.strip_prefix("total_connections_received:"));
    assert!(received.unwrap().parse::<u64>().unwrap() >= 2001);
}
