//! Real clients: what they send at the start, how they read replies, what their users do all day.
//!
//! Each flow is also run against Redis, so that a failure here is ours. `tests/install.sh` installs
//! what these tests need.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use redis::{Cmd, Commands, Connection, ExistenceCheck, ProtocolVersion, SetExpiry, SetOptions};
use tests::server::{Server, workspace};

/// Ours and Redis's.
fn servers() -> [Server; 2] {
    [Server::start(&[]), Server::start_other("redis-server", &[])]
}

fn directory() -> PathBuf {
    workspace().join("tests/clients")
}

/// Runs a program to its end, which must be a good one.
fn run(command: &mut Command) -> String {
    let output: Output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{:?}: {error}; run tests/install.sh", command.get_program())
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{all}", output.status);
    all
}

#[test]
fn redis_py() {
    for (server, extra) in servers().iter().zip(["newer", ""]) {
        for protocol in ["2", "3"] {
            let mut command = Command::new(directory().join(".venv/bin/python"));
            command.arg(directory().join("smoke.py")).args([&server.port().to_string(), protocol]);
            if !extra.is_empty() {
                command.arg(extra);
            }
            assert!(run(&mut command).contains("all is well"));
        }
    }
}

#[test]
fn ioredis() {
    for server in servers() {
        for protocol in ["2", "3"] {
            let mut command = Command::new("node");
            command.arg(directory().join("smoke.mjs")).args([&server.port().to_string(), protocol]);
            assert!(run(&mut command).contains("all is well"));
        }
    }
}

fn redis_cli(server: &Server, words: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &server.port().to_string()]).args(words);
    run(&mut command).trim_end().to_owned()
}

#[test]
fn redis_cli_in_both_protocols() {
    for server in servers() {
        for protocol in ["-2", "-3"] {
            for (words, expected) in [
                (&["FLUSHALL"] as &[&str], "OK"),
                (&["SET", "k", "a b"], "OK"),
                (&["GET", "k"], "a b"),
                (&["GET", "nokey"], ""),
                (&["MSET", "a", "1", "b", "2"], "OK"),
                (&["MGET", "a", "b", "c"], "1\n2"),
                (&["-r", "5", "INCR", "n"], "1\n2\n3\n4\n5"),
                (&["CONFIG", "GET", "maxclients"], "maxclients\n10000"),
                (&["LCS", "a", "b", "IDX"], "matches\n\nlen\n0"),
                (&["-n", "3", "DBSIZE"], "0"),
                (&["NOSUCH"], "ERR unknown command 'NOSUCH', with args beginning with:"),
            ] {
                let got = redis_cli(&server, &[&[protocol], words].concat());
                // Maps are shown in one line or in several, as the protocol is.
                let words_of = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert_eq!(words_of(&got), words_of(expected), "{protocol} {words:?}");
            }
            assert_eq!(redis_cli(&server, &[protocol, "--scan"]).lines().count(), 4);
            let list = redis_cli(&server, &[protocol, "CLIENT", "LIST"]);
            assert!(list.contains(&format!(" resp={}", &protocol[1..])), "{list}");
        }
    }
}

#[test]
fn redis_cli_loads_and_looks_at_a_whole_database() {
    for server in servers() {
        let port = server.port().to_string();
        let bytes: Vec<u8> = (0..20_000)
            .flat_map(|n| tests::resp::encode(&["SET", &format!("key:{n}"), &n.to_string()]))
            .collect();
        let path = server.directory().join("commands");
        std::fs::write(&path, bytes).unwrap();
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port, "--pipe"]).stdin(std::fs::File::open(&path).unwrap());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("errors: 0, replies: 20000"), "{text}");
        assert_eq!(redis_cli(&server, &["--scan", "--pattern", "key:1*"]).lines().count(), 11_111);
        let report = redis_cli(&server, &["--bigkeys"]);
        assert!(report.contains("20000 strings with 88890 bytes"), "{report}");
    }
}

#[test]
fn redis_cli_shows_our_arguments() {
    let server = Server::start(&[]);
    let path = server.directory().join("commands");
    // It asks for documentation once it is connected.
    std::fs::write(&path, "PING\nhelp scan\nhelp cl.throttle\n").unwrap();
    let mut command = Command::new("redis-cli");
    let commands = std::fs::File::open(&path).unwrap();
    command.args(["-p", &server.port().to_string()]).stdin(commands);
    let text = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    for arguments in [
        "cursor [MATCH pattern] [COUNT count] [TYPE type] [ATTR v|p] [MINMSZ bytes]",
        "key max-burst count period [quantity]",
    ] {
        assert!(text.contains(arguments), "{text}");
    }
}

#[test]
fn redis_benchmark() {
    let server = Server::start(&[]);
    for extra in
        [&["-P", "16"][..], &["-P", "1"], &["-P", "16", "-3"], &["-P", "8", "--threads", "2"]]
    {
        let mut command = Command::new("redis-benchmark");
        let port = server.port().to_string();
        command.args(["-p", &port, "-t", "ping,set,get,incr,mset", "-n", "20000", "-r", "5000"]);
        let text = run(command.args(["-q", "-c", "20"]).args(extra));
        let errors = ["Error", "ERR ", "NOAUTH", "WRONGTYPE", "WARNING"];
        assert!(!errors.iter().any(|error| text.contains(error)), "{extra:?}: {text}");
        for test in ["PING", "SET", "GET", "INCR", "MSET"] {
            assert!(text.contains(test) && text.contains("requests per second"), "{text}");
        }
    }
}

fn connect(server: &Server, protocol: ProtocolVersion) -> Connection {
    let info: redis::ConnectionInfo =
        format!("redis://127.0.0.1:{}", server.port()).parse().unwrap();
    let settings = info.redis_settings().clone().set_protocol(protocol);
    let client = redis::Client::open(info.set_redis_settings(settings)).unwrap();
    client.get_connection().unwrap()
}

#[test]
fn redis_rs() {
    for server in servers() {
        for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            let mut connection = connect(&server, protocol);
            () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
            rust_strings(&mut connection).unwrap();
            rust_keys(&mut connection).unwrap();
            rust_pipelines(&mut connection).unwrap();
        }
    }
}

fn rust_strings(connection: &mut Connection) -> redis::RedisResult<()> {
    () = connection.set("k", b"\0\xff")?;
    assert_eq!(connection.get::<_, Vec<u8>>("k")?, b"\0\xff");
    assert_eq!(connection.get::<_, Option<String>>("nokey")?, None);
    let options = SetOptions::default()
        .conditional_set(ExistenceCheck::XX)
        .get(true)
        .with_expiration(SetExpiry::EX(100));
    assert_eq!(connection.set_options::<_, _, Vec<u8>>("k", "v", options)?, b"\0\xff");
    assert!(connection.ttl::<_, i64>("k")? > 90);
    assert!(!connection.set_nx::<_, _, bool>("k", "x")?);
    assert_eq!(connection.incr::<_, _, i64>("n", 5)?, 5);
    assert_eq!(connection.incr::<_, _, f64>("f", 0.25)?, 0.25);
    assert_eq!(connection.append::<_, _, usize>("k", "w")?, 2);
    assert_eq!(connection.getrange::<_, String>("k", 0, -1)?, "vw");
    () = connection.mset(&[("a", 1), ("b", 2)])?;
    let values: Vec<Option<i32>> = connection.mget(&["a", "b", "c"])?;
    assert_eq!(values, [Some(1), Some(2), None]);
    let error = connection.incr::<_, _, i64>("k", 1).unwrap_err();
    assert!(error.to_string().contains("value is not an integer or out of range"), "{error}");
    Ok(())
}

fn rust_keys(connection: &mut Connection) -> redis::RedisResult<()> {
    assert_eq!(connection.del::<_, usize>(&["a", "nokey"])?, 1);
    assert!(connection.exists::<_, bool>("b")?);
    () = connection.rename("b", "c")?;
    assert!(connection.expire::<_, bool>("c", 100)?);
    assert!(connection.persist::<_, bool>("c")?);
    assert_eq!(connection.ttl::<_, i64>("c")?, -1);
    let count: usize = redis::cmd("DBSIZE").query(connection)?;
    assert_eq!(connection.keys::<_, Vec<String>>("*")?.len(), count);
    let info: redis::InfoDict = redis::cmd("INFO").query(connection)?;
    assert_eq!(info.get::<String>("role").as_deref(), Some("master"));
    () = redis::cmd("FLUSHDB").query(connection)?;
    Ok(())
}

fn rust_pipelines(connection: &mut Connection) -> redis::RedisResult<()> {
    let mut pipeline = redis::pipe();
    for number in 0..10_000 {
        pipeline.set(format!("key:{number}"), number).ignore();
    }
    () = pipeline.query(connection)?;
    let mut pipeline = redis::pipe();
    for number in 0..10_000 {
        pipeline.add_command(Cmd::get(format!("key:{number}")));
    }
    let values: Vec<usize> = pipeline.query(connection)?;
    assert!(values.into_iter().eq(0..10_000));
    let found = connection.scan_match::<_, String>("key:*")?;
    let mut found: Vec<String> = found.collect::<Result<_, _>>()?;
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 10_000);
    Ok(())
}
