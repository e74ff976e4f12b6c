//! Configuration from outside: files, flags, the environment, CONFIG REWRITE, the first lines of
//! the log, files that the process keeps.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::client::Client;
use tests::resp::Value;
use tests::server::{Server, binary, own_directory};
use tests::wait;

/// A directory that goes when this does.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        Self(own_directory())
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server without a TCP port, whose log may go to a file.
struct Process(Child);

impl Process {
    fn start(directory: &Directory, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary());
        command.current_dir(&directory.0).args(["--port", "0", "--unixsocket", "x.sock"]);
        command.args(flags).envs(environment.iter().copied());
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.id() as i32).unwrap(), signal).unwrap();
    }

    fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, but for a test that failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The value of a parameter.
fn get(client: &mut Client, name: &str) -> String {
    client.command(&["CONFIG", "GET", name]).pairs()[0].1.text()
}

fn set(client: &mut Client, words: &[&str]) {
    let reply = client.command(&[&["CONFIG", "SET"], words].concat());
    assert_eq!(reply, Value::Simple("OK".into()), "{words:?}");
}

#[test]
fn all_sources_come_together() {
    let directory = Directory::new();
    directory.write("part.conf", "timeout 11\nslowlog-max-len 12\n");
    let config = directory.write(
        "a.conf",
        &format!(
            "# mine\nmaxclients 100\ninclude {}\nslowlog-max-len 13\nhz 50\nlatency-tracking no\n",
            directory.path("pa*.conf")
        ),
    );
    let flags = directory.write("flags", "# ours\n--tcp_keepalive=77\n--proactor_threads=3\n");
    let server = Server::start_with(
        &["--config", &config, "--flagfile", &flags, "--latency_tracking", "--threads=2"],
        &[("DFLY_maxclients", "200"), ("DFLY_PASSWORD", "secret")],
    );
    let mut client = server.connect();
    assert!(client.run("PING").bytes().starts_with(b"NOAUTH"));
    assert_eq!(client.run("AUTH secret"), Value::Simple("OK".into()));
    for (name, value) in [
        ("timeout", "11"),
        ("slowlog-max-len", "13"),
        ("maxclients", "200"),
        ("tcp-keepalive", "77"),
        ("latency-tracking", "yes"),
        ("threads", "2"),
        ("hz", "50"),
    ] {
        assert_eq!(get(&mut client, name), value, "{name}");
    }
    let log = server.log().join("\n");
    assert!(log.contains(&format!("configuration: {config}, {flags}, environment, command line")));
    assert!(log.contains("): hz"), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn the_log_begins_with_what_one_wants_to_know() {
    let server = Server::start(&["--maxmemory", "100mb", "--maxclients", "1234"]);
    let log = server.log();
    let end = log.iter().position(|line| line.contains("ready to accept connections")).unwrap();
    let block = log[..=end].join("\n");
    for expected in [
        format!("dragonfly v{} (", env!("CARGO_PKG_VERSION")),
        format!("pid {}", server.pid()),
        "configuration: command line".to_owned(),
        format!("listening on port {} of 127.0.0.1", server.port()),
        "2 threads, at most 1234 clients, at most 100 MiB of memory".to_owned(),
        "16 databases, data in memory only".to_owned(),
    ] {
        assert!(block.contains(&expected), "no '{expected}' in\n{block}");
    }
    assert!(end < 8, "{block}");
}

#[test]
fn wrong_sources_are_named() {
    let directory = Directory::new();
    let config = directory.write("a.conf", "port 0\n\nmaxclient 1\n");
    let flags = directory.write("flags", "--timeout=x\n");
    let password = directory.write("b.conf", "requirepass secret secret\n");
    for (words, variable, expected) in [
        (vec![config.as_str()], "", format!("{config}:3: unknown parameter maxclient; did you")),
        (vec!["--flagfile", &flags], "", format!("{flags}:1: timeout x: argument couldn't be")),
        (vec![], "DFLY_timeot", "unknown environment variable DFLY_timeot; did you".to_owned()),
        (vec!["--port", "0"], "", "there is nowhere to listen".to_owned()),
        (vec!["--bind", ""], "", "there is nowhere to listen".to_owned()),
        (vec!["--dir", "/no/such"], "", "dir /no/such: No such file or directory".to_owned()),
        (vec!["--logfile", "/no/such/x"], "", "logfile /no/such/x: No such file".to_owned()),
        (vec!["--tls", "--requirepass", "secret"], "", "not encrypted".to_owned()),
        (vec!["--daemonize=yes"], "", "start it by a service manager".to_owned()),
        (vec![&password], "", format!("{password}:1: requirepass takes one value")),
    ] {
        let mut command = Command::new(binary());
        command.args(&words).current_dir(&directory.0);
        if !variable.is_empty() {
            command.env(variable, "1");
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.contains(&expected), "{words:?}: {text}");
        assert!(!text.contains("secret"), "{words:?}: {text}");
    }
}

#[test]
fn a_configuration_comes_from_standard_input() {
    let directory = Directory::new();
    let mut command = Command::new(binary());
    command.current_dir(&directory.0).args(["-", "--timeout", "5"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let text = b"port 0\nunixsocket x.sock\ntimeout 4\nmaxclients 44\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text).unwrap();
    let mut process = Process(child);
    let mut client = connect(&directory);
    assert_eq!(
        (get(&mut client, "timeout"), get(&mut client, "maxclients")),
        ("5".into(), "44".into())
    );
    process.stop(Signal::INT);
}

/// Connects to the socket of a [`Process`], once it is there.
fn connect(directory: &Directory) -> Client {
    let path = directory.0.join("x.sock");
    let mut client = None;
    wait::until("the server answers", || {
        client = Client::unix(&path).ok();
        client.is_some()
    });
    client.unwrap()
}

#[test]
fn what_was_rewritten_is_read_again() {
    let directory = Directory::new();
    let before = "# The head.\n\nmaxclients   100\n# About time.\nTIMEOUT 5\nhz 20\ntimeout 6\n\
        client-output-buffer-limit normal 9mb 1mb 1\n# The end.\n";
    let path = directory.write("a.conf", before);
    let server = Server::start(&["--config", &path]);
    let mut client = server.connect();
    set(&mut client, &["timeout", "60", "slowlog-max-len", "7", "requirepass", "two \"words\"\n"]);
    set(&mut client, &["client-output-buffer-limit", "pubsub 9mb 8mb 7"]);
    assert_eq!(client.run("CONFIG REWRITE"), Value::Simple("OK".into()));
    let after = directory.read("a.conf");
    let head = "# The head.\n\nmaxclients   100\n# About time.\ntimeout 60\nhz 20\n\
        client-output-buffer-limit normal 9437184 1048576 1 slave 268435456 67108864 60 \
        pubsub 9437184 8388608 7\n# The end.\n# Written by CONFIG REWRITE\n";
    assert!(after.starts_with(head), "{after}");
    assert!(after.contains("requirepass \"two \\\"words\\\"\\n\"\n"), "{after}");
    let values = all(&mut client);
    drop(client);
    drop(server);

    let server = Server::start(&["--config", &path]);
    let mut client = server.connect();
    assert_eq!(
        client.command(&["AUTH", "two \"words\"\n"]),
        Value::Simple("OK".into()),
        "the password is that of the file"
    );
    for (before, after) in values.iter().zip(all(&mut client)) {
        let changes = ["port", "dir"].contains(&before.0.as_str());
        assert!(changes || *before == after, "{before:?} is {after:?}");
    }
    let text = directory.read("a.conf");
    assert_eq!(client.run("CONFIG REWRITE"), Value::Simple("OK".into()));
    let again = directory.read("a.conf");
    let without_port = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|l| !l.starts_with("port") && !l.starts_with("dir"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(without_port(&again), without_port(&text), "nothing changed");
    let names: Vec<_> = std::fs::read_dir(&directory.0).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

fn all(client: &mut Client) -> Vec<(String, String)> {
    let pairs = client.run("CONFIG GET *").pairs();
    pairs.iter().map(|(name, value)| (name.text(), value.text())).collect()
}

#[test]
fn a_file_of_flags_is_rewritten_too() {
    let directory = Directory::new();
    let path = directory.write("flags", "# mine\n--maxclients=9000\n--slowlog_max_len=5\n");
    let server = Server::start(&["--flagfile", &path]);
    let mut client = server.connect();
    set(&mut client, &["maxclients", "8000", "requirepass", "a b"]);
    assert_eq!(client.run("CONFIG REWRITE"), Value::Simple("OK".into()));
    let text = directory.read("flags");
    assert!(text.starts_with("# mine\n--maxclients=8000\n--slowlog_max_len=5\n# Wr"), "{text}");
    assert!(text.contains("\n--requirepass=a b\n"), "{text}");
}

#[test]
fn a_file_that_cannot_be_rewritten_stays() {
    let directory = Directory::new();
    let path = directory.write("a.conf", "timeout 5\n");
    let server = Server::start(&["--config", &path]);
    let mut client = server.connect();
    directory.write("a.conf", "timeout 5\nno-such-parameter 1\n");
    set(&mut client, &["timeout", "6"]);
    let error = client.run("CONFIG REWRITE").to_string();
    assert!(error.contains("Rewriting config file: ") && error.contains("no-such-pa"), "{error}");
    assert_eq!(directory.read("a.conf"), "timeout 5\nno-such-parameter 1\n");
    std::fs::remove_file(&path).unwrap();
    let error = client.run("CONFIG REWRITE").to_string();
    assert!(error.contains("Rewriting config file: No such file"), "{error}");
}

#[test]
fn a_change_is_whole_or_not_at_all() {
    let server = Server::start(&["--enable-protected-configs", "local"]);
    let mut client = server.connect();
    let before = all(&mut client);
    for (words, reason) in [
        (
            &["timeout", "1", "loglevel", "debug", "dir", "/no/such"][..],
            "No such file or directory",
        ),
        (&["timeout", "1", "maxclients", "4000000000"], "try with"),
        (&["maxmemory", "1gb", "maxmemory-clients", "1x"], "memory or percent value"),
        (&["timeout", "1", "tls-port", "1"], "not supported by this version"),
        (&["timeout", "1", "tcp-backlog", "1"], "can't set immutable config"),
        (&["timeout", "1", "TIMEOUT", "2"], "duplicate parameter"),
        (&["timeout", "1", "no-such", "2"], "Unknown option"),
    ] {
        let reply = client.command(&[&["CONFIG", "SET"], words].concat()).to_string();
        assert!(reply.contains(reason), "{words:?}: {reply}");
        assert_eq!(all(&mut client), before, "{words:?}");
    }
    set(&mut client, &["dir", "/", "loglevel", "nothing"]);
    assert_eq!(get(&mut client, "dir"), "/");
    let lines = server.log().len();
    set(&mut client, &["hz", "50"]);
    assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
    assert_eq!(server.log().len(), lines, "nothing is logged");
}

#[test]
fn statistics_are_reset() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    (0..100).for_each(|_| drop(client.run("GET nokey")));
    let number = |client: &mut Client, name: &str| -> u64 {
        let text = client.run("INFO stats").text();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap().parse().unwrap()
    };
    let names = ["total_commands_processed", "keyspace_misses", "total_net_input_bytes"];
    names.iter().for_each(|name| assert!(number(&mut client, name) >= 100, "{name}"));
    assert_eq!(client.run("CONFIG RESETSTAT"), Value::Simple("OK".into()));
    assert_eq!(number(&mut client, "total_connections_received"), 0);
    assert_eq!(number(&mut client, "keyspace_misses"), 0);
    assert!(number(&mut client, "total_commands_processed") < 10);
    client.run("GET nokey");
    assert_eq!(number(&mut client, "keyspace_misses"), 1);
}

#[test]
fn the_log_goes_to_a_file_and_can_be_rotated() {
    let directory = Directory::new();
    let mut process = Process::start(&directory, &["--logfile", "log", "--pidfile", "pid"], &[]);
    let ready = || directory.read("log").contains("ready to accept connections");
    wait::until("the log says that the server is ready", ready);
    assert_eq!(directory.read("pid").trim(), process.0.id().to_string());
    assert!(directory.0.join("x.sock").exists());
    std::fs::rename(directory.path("log"), directory.path("log.1")).unwrap();
    process.signal(Signal::HUP);
    wait::until("there is a new log", || directory.0.join("log").exists());
    process.stop(Signal::TERM);
    assert!(directory.read("log").contains("SIGTERM received"));
    assert!(!directory.read("log.1").contains("SIGTERM received"));
    assert!(!directory.0.join("pid").exists() && !directory.0.join("x.sock").exists());
}

#[test]
fn a_failed_start_is_told_on_standard_error_too() {
    let directory = Directory::new();
    let mut command = Command::new(binary());
    command.args(["--logfile", "log", "--port", "0"]).current_dir(&directory.0);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("nowhere to listen"), "{text}");
    assert!(directory.read("log").contains("nowhere to listen"));
}

#[test]
fn paths_are_relative_to_dir() {
    let directory = Directory::new();
    std::fs::create_dir(directory.path("data")).unwrap();
    let mut process = Process::start(&directory, &["--dir", "data", "--pidfile", "pid"], &[]);
    let inner = Directory(directory.0.join("data"));
    let mut client = connect(&inner);
    assert!(Path::new(&get(&mut client, "dir")).is_absolute());
    wait::until("there is a file with the number", || inner.0.join("pid").exists());
    process.stop(Signal::TERM);
    assert!(!inner.0.join("pid").exists() && !inner.0.join("x.sock").exists());
}

#[test]
fn the_service_manager_is_told() {
    let directory = Directory::new();
    let manager = UnixDatagram::bind(directory.path("notify")).unwrap();
    manager.set_read_timeout(Some(wait::LIMIT)).unwrap();
    let received = || {
        let mut buffer = [0; 100];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let environment = [("NOTIFY_SOCKET", directory.path("notify"))];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut process = Process::start(&directory, &["--supervised", "systemd"], &environment);
    assert_eq!(received(), "READY=1");
    process.stop(Signal::TERM);
    assert_eq!(received(), "STOPPING=1");
}

#[test]
fn fewer_files_mean_fewer_clients() {
    let directory = Directory::new();
    let line = format!("ulimit -n 200; exec {} --port 0 --unixsocket x.sock", binary().display());
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(&directory.0).stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let mut client = connect(&directory);
    let most: u32 = get(&mut client, "maxclients").parse().unwrap();
    // Whoever may raise the limit gets all.
    assert!((100..200).contains(&most) || most == 10_000, "{most}");
    process.stop(Signal::TERM);
}
