//! Tests of the table and of the ways in.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::shape::{Value, memory};
use super::*;

/// The configuration that words of the command line give.
fn parse_line(words: &[&str]) -> Result<Invocation, String> {
    parse(words.iter().map(|word| (*word).to_owned()), [])
}

fn configured(words: &[&str]) -> Box<Config> {
    served(parse_line(words))
}

fn served(result: Result<Invocation, String>) -> Box<Config> {
    match result {
        Ok(Invocation::Serve(config)) => config,
        Ok(Invocation::Print(text)) => panic!("printed {text}"),
        Err(error) => panic!("{error}"),
    }
}

fn refusal(result: Result<Invocation, String>) -> String {
    match result {
        Err(error) => error,
        Ok(_) => panic!("accepted"),
    }
}

fn get(config: &Config, name: &str) -> String {
    parameter(name).unwrap().get(config)
}

/// A directory of this test alone, which is gone when this is.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("config-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn names_are_unique_and_rows_complete() {
    let mut seen = HashMap::new();
    for row in parameters() {
        for name in row.names() {
            let before = seen.insert(folded(name), row.name);
            assert!(before.is_none_or(|other| other == row.name), "{name} twice");
        }
        assert!(!row.about.is_empty(), "{} says nothing", row.name);
        let ends = row.about.ends_with('.');
        assert_eq!(ends, row.effect() == Effect::Real, "{}: {}", row.name, row.about);
    }
    assert!(seen.len() > 400, "{}", seen.len());
}

#[test]
fn every_default_is_a_value_of_its_parameter() {
    let config = Config::new();
    for row in parameters() {
        assert_eq!(row.set(&config, row.default), Ok(()), "{}", row.name);
        let value = row.get(&config);
        assert_eq!(row.set(&config, &value), Ok(()), "{} {value}", row.name);
        assert_eq!(row.get(&config), value, "{}", row.name);
    }
    assert!(Config::new().without_effect().is_empty());
}

#[test]
fn flags_are_read_in_all_their_forms() {
    for words in [
        &["--port", "7000", "--proactor_threads=3"][..],
        &["--port=7000", "--threads", "3"],
        &["-port=7000", "--io-threads=3"],
        &["-port", "7000", "-server_threads", "3"],
        &["--PORT", "7000", "--Threads=3"],
    ] {
        let config = configured(words);
        assert_eq!(get(&config, "port"), "7000");
        assert_eq!(get(&config, "threads"), "3");
        assert_eq!(config.sources, ["command line"]);
    }
    assert_eq!(get(&configured(&["--port", "-1"]), "port"), "-1");
    assert_eq!(get(&configured(&["--requirepass=--x"]), "requirepass"), "--x");
    assert_eq!(get(&configured(&["--requirepass", "-x"]), "requirepass"), "-x");
    assert_eq!(get(&configured(&["--requirepass", ""]), "requirepass"), "");
    assert_eq!(get(&configured(&["--save", "", "--port", "1"]), "port"), "1");
}

#[test]
fn switches_need_no_value() {
    for (words, expected) in [
        (&["--latency-tracking"][..], "yes"),
        (&["--nolatency_tracking"], "no"),
        (&["--no-latency-tracking"], "no"),
        (&["--latency-tracking", "--port", "1"], "yes"),
        (&["--latency-tracking", "no"], "no"),
        (&["--latency_tracking=false"], "no"),
        (&["--latency_tracking=TRUE"], "yes"),
        (&["-nolatency_tracking"], "no"),
    ] {
        let config = configured(words);
        assert_eq!(get(&config, "latency-tracking"), expected, "{words:?}");
    }
}

#[test]
fn a_flag_may_take_several_words() {
    let words =
        ["--client-output-buffer-limit", "normal", "1", "2", "3", "pubsub", "4kb", "5", "6"];
    let config = configured(&[&words[..], &["--bind", "127.0.0.1", "-::1", "-port=1"]].concat());
    let limits = *config.output_limits.read();
    assert_eq!((limits.normal.hard_bytes, limits.pubsub.hard_bytes), (1, 4096));
    assert_eq!(limits.replica.hard_bytes, 256 << 20);
    assert_eq!(get(&config, "bind"), "127.0.0.1 -::1");
    assert_eq!(get(&config, "port"), "1");
}

#[test]
fn flags_may_be_written_as_lines_of_a_file() {
    for (words, name, expected) in [
        (&["--maxmemory 700mb"][..], "maxmemory", "734003200"),
        (&["--maxmemory '1kb'", "--port=1"], "maxmemory", "1024"),
        (&["--port", "1", "loglevel", "verbose"], "loglevel", "verbose"),
        (&["--requirepass=a b"], "requirepass", "a b"),
        (&["--logfile", "--port", "--port", "1"], "logfile", "--port"),
        (&["--save", "--port", "1"], "save", ""),
        (&["--shutdown-on-sigint", "force", "NOSAVE", "--port", "1"], "port", "1"),
        (&["--shutdown-on-sigint", "force", "NOSAVE"], "shutdown-on-sigint", "nosave force"),
        (&["--shutdown-on-sigterm", "now force"], "shutdown-on-sigterm", "now force"),
    ] {
        assert_eq!(get(&configured(words), name), expected, "{words:?}");
    }
}

#[test]
fn wrong_words_are_told() {
    for (words, expected) in [
        (&["--prot", "1"][..], "unknown flag --prot; did you mean --port?"),
        (&["--no-such-thing-at-all", "1"], "unknown flag --no-such-thing-at-all; see --help"),
        (&["--port", "x"], "--port x: argument couldn't be parsed into an integer"),
        (&["--port", "70000"], "--port 70000: argument must be between -1 and 65535 inclusive"),
        (&["--port"], "--port needs a value"),
        (&["--port", "1", "2"], "unexpected argument '2'; see --help"),
        (&["--port '1"], "--port '1: unbalanced quotes"),
        (&["--port", "--threads", "1"], "--port needs a value"),
        (
            &["--shutdown-on-sigint", "later"],
            "--shutdown-on-sigint later: argument(s) must be one \
            of the following: default, save, nosave, now, force",
        ),
        (&["--config", "--port", "1"], "--config needs a value"),
        (&["--config"], "--config needs a value"),
        (&["--port", "1", "word"], "unexpected argument 'word'; see --help"),
        (&["--noport"], "unknown flag --noport; did you mean --port?"),
        (&["--latency-tracking=maybe"], "--latency-tracking maybe: argument must be 'yes' or 'no'"),
        (&["/no/such/file"], "cannot read /no/such/file: No such file or directory (os error 2)"),
        (&["--tls"], "--tls yes: not supported by this version: connections are not encrypted"),
        (
            &["--tls-key-file-pass", "x"],
            "--tls-key-file-pass: not supported by this version: \
            connections are not encrypted",
        ),
        (
            &["--save", "60", "1"],
            "--save 60 1: not supported by this version: \
            data are kept in memory only",
        ),
        (
            &["--maxmemory-policy", "lru"],
            "--maxmemory-policy lru: argument(s) must be one of the \
            following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, \
            allkeys-lfu, allkeys-random, noeviction",
        ),
        (
            &["--maxmemory-policy", "allkeys-lru"],
            "--maxmemory-policy allkeys-lru: \
            not supported by this version: keys are not evicted",
        ),
        (
            &["--databases", "17"],
            "--databases 17: not supported by this version: \
            there are always 16",
        ),
    ] {
        assert_eq!(refusal(parse_line(words)), expected, "{words:?}");
    }
}

#[test]
fn what_is_not_supported_may_be_overridden() {
    let directory = Directory::new();
    let path = directory.write("redis.conf", "daemonize yes\nappendonly yes\n");
    let error = refusal(parse_line(&[&path, "--daemonize", "no"]));
    assert!(error.starts_with(&format!("{path}:2: appendonly yes: not supported")), "{error}");
    configured(&[&path, "--daemonize", "no", "--appendonly", "no"]);
    let error = refusal(parse_line(&["--appendonly", "no", "--appendonly", "yes"]));
    assert!(error.contains("not supported"), "{error}");
}

#[test]
fn later_sources_win() {
    let directory = Directory::new();
    let config = directory.write("a.conf", "port 1\ntimeout 1\nmaxclients 1\ntcp-backlog 1\n");
    let flags = directory.write("flags", "--timeout=2\n--maxclients=2\n--tcp_backlog=2\n");
    let flagfile = format!("--flagfile={flags}");
    let environment = [("DFLY_maxclients", "3"), ("DFLY_TCP_BACKLOG", "3"), ("OTHER", "x")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let words = ["--tcp-backlog=4", "--config", &config, &flagfile];
    let config = served(parse(words.map(str::to_owned), environment));
    let values = ["port", "timeout", "maxclients", "tcp-backlog"].map(|name| get(&config, name));
    assert_eq!(values, ["1", "2", "3", "4"]);
    assert_eq!(config.sources.len(), 4);
    assert_eq!(config.file.as_ref().unwrap().1, Syntax::Redis);
}

#[test]
fn the_environment_is_read_strictly() {
    let with = |name: &str, value: &str| parse([], [(name.to_owned(), value.to_owned())]);
    assert_eq!(get(&served(with("DFLY_PASSWORD", "secret")), "requirepass"), "secret");
    assert_eq!(get(&served(with("DFLY_requirepass", "secret")), "requirepass"), "secret");
    assert_eq!(get(&served(with("DFLY_DEV_ENV", "x")), "port"), "6379");
    assert_eq!(
        refusal(with("DFLY_prot", "1")),
        "unknown environment variable DFLY_prot; did you mean DFLY_port?"
    );
    assert_eq!(
        refusal(with("DFLY_port", "x")),
        "DFLY_port x: argument couldn't be parsed into an integer"
    );
}

#[test]
fn files_are_read_with_quotes_comments_and_includes() {
    let directory = Directory::new();
    directory.write("parts/b.conf", "timeout 2\n");
    directory.write("parts/a.conf", "timeout 1\nmaxclients 77\n");
    directory.write("parts/.hidden.conf", "timeout 9\n");
    let parts = directory.0.join("p*s").join("*.conf");
    let path = directory.write(
        "redis.conf",
        &format!(
            "# a comment\n\n  PORT 7000  \nrequirepass \"a \\\"b\\\" \\x41\"\ntls-port 0\n\
             include {}\nsave \"\"\nclient-output-buffer-limit normal 1 1 1\n\
             client-output-buffer-limit replica 2 2 2\nlatency_tracking no\n",
            parts.display()
        ),
    );
    let config = configured(&[&path]);
    assert_eq!(get(&config, "port"), "7000");
    assert_eq!(get(&config, "requirepass"), "a \"b\" A");
    assert_eq!(get(&config, "timeout"), "2", "files of a pattern are read in their order");
    assert_eq!(get(&config, "maxclients"), "77");
    assert_eq!(get(&config, "latency-tracking"), "no");
    let limits = get(&config, "client-output-buffer-limit");
    assert_eq!(limits, "normal 1 1 1 slave 2 2 2 pubsub 33554432 8388608 60");
}

#[test]
fn wrong_lines_of_files_are_named() {
    let directory = Directory::new();
    let path = directory.0.join("x.conf").to_string_lossy().into_owned();
    for (text, expected) in [
        ("port 1\nprot 2\n", ":2: unknown parameter prot; did you mean port?"),
        ("\n\nport x\n", ":3: port x: argument couldn't be parsed into an integer"),
        ("port\n", ":1: port needs a value"),
        ("port 1 2\n", ":1: port takes one value"),
        ("requirepass \"a\n", ":1: unbalanced quotes"),
        ("requirepass a b\n", ":1: requirepass takes one value"),
        (
            "user alice on\n",
            ":1: user alice on: not supported by this version: there is the default user alone, \
            and the process keeps its own",
        ),
    ] {
        directory.write("x.conf", text);
        assert_eq!(refusal(parse_line(&[&path])), format!("{path}{expected}"));
    }
    directory.write("x.conf", &format!("include {path}\n"));
    assert!(refusal(parse_line(&[&path])).contains("does it include itself?"));
    directory.write("x.conf", "include /no/such.conf\n");
    assert!(refusal(parse_line(&[&path])).contains(":1: cannot read /no/such.conf"));
    directory.write("x.conf", "include /no/such*.conf\n");
    configured(&[&path]);
}

#[test]
fn files_of_flags_are_read() {
    let directory = Directory::new();
    let more = directory.write("more", "--maxclients=5\n");
    let text = format!(
        "# a comment\n--port=7000\n-timeout=5\n--nolatency_tracking\n\
        --protected_mode\n--requirepass=a b\n--flagfile={more}\n"
    );
    let path = directory.write("flags", &text);
    let config = configured(&["--flagfile", &path]);
    let names = ["port", "timeout", "latency-tracking", "requirepass", "maxclients"];
    let values = names.map(|name| get(&config, name));
    assert_eq!(values, ["7000", "5", "no", "a b", "5"]);
    assert_eq!(config.file.as_ref().unwrap().1, Syntax::Flags);
    directory.write("flags", "port=1\n");
    let error = refusal(parse_line(&["--flagfile", &path]));
    assert_eq!(error, format!("{path}:1: a flag begins with --"));
}

#[test]
fn what_is_written_is_read_again() {
    let all: String = (0..300).filter_map(char::from_u32).collect();
    for value in ["", " ", "a b", "\"", "'", "\\", "#", "# a", "a#b", "\0\x7f\r\n\t", "ä 漢", &all]
    {
        let line = file::write_line(Syntax::Redis, "requirepass", value, false).unwrap();
        let read = file::read_line(Syntax::Redis, &line);
        let expected = ("requirepass".to_owned(), vec![value.to_owned()]);
        assert_eq!(read, Ok(Some(expected)), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    for value in ["", "a b", "a=b", "--x", "\"a\""] {
        let line = file::write_line(Syntax::Flags, "requirepass", value, false).unwrap();
        let expected = ("requirepass".to_owned(), vec![value.to_owned()]);
        assert_eq!(file::read_line(Syntax::Flags, &line), Ok(Some(expected)), "{line}");
    }
    assert_eq!(file::write_line(Syntax::Flags, "requirepass", "a\n--port=1", false), None);
    assert_eq!(file::write_line(Syntax::Flags, "requirepass", " a", false), None);
    let line = file::write_line(Syntax::Redis, "bind", "a\nport  1 \x07", true);
    assert_eq!(line.as_deref(), Some("bind a port 1 \"\\x07\""));
}

#[test]
fn bytes_are_read_with_their_units() {
    for (text, bytes) in [
        ("0", Some(0)),
        ("1024", Some(1024)),
        ("1k", Some(1000)),
        ("1kb", Some(1024)),
        ("3MB", Some(3 << 20)),
        ("2G", Some(2_000_000_000)),
        ("128_MB", Some(128 << 20)),
        ("1.5gb", Some(3 << 29)),
        ("1tb", Some(1 << 40)),
        ("1.5", None),
        ("-1", None),
        ("", None),
        ("kb", None),
        ("1 kb", None),
        ("1x", None),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775808", None),
        ("9223372036854775807kb", None),
    ] {
        assert_eq!(memory(text), bytes, "{text}");
    }
}

#[test]
fn parts_of_the_memory_become_bytes() {
    let config = configured(&["--maxmemory", "50%", "--maxmemory-clients", "10%"]);
    let memory = config.memory_max.load(Relaxed);
    assert!(memory > 1 << 20);
    assert_eq!(config.clients_memory_max.load(Relaxed), memory / 100 * 10);
    assert_eq!(get(&config, "maxmemory-clients"), "10%");
    parameter("maxmemory").unwrap().set(&config, "1000").unwrap();
    assert_eq!(config.clients_memory_max.load(Relaxed), 100);
    parameter("maxmemory-clients").unwrap().set(&config, "5kb").unwrap();
    assert_eq!(get(&config, "maxmemory-clients"), "5120");
    assert!(refusal(parse_line(&["--maxmemory", "101%"])).contains("less or equal to 100"));
}

#[test]
fn levels_have_numbers_too() {
    for (words, level) in [
        (&["--minloglevel=1"][..], "warning"),
        (&["--minloglevel=2"], "nothing"),
        (&["--minloglevel=0"], "notice"),
        (&["--v=1"], "verbose"),
        (&["--v=3"], "debug"),
        (&["--v=0"], "notice"),
        (&["--loglevel", "DEBUG", "--v=0"], "notice"),
        (&["--loglevel", "debug", "--minloglevel=0"], "debug"),
    ] {
        assert_eq!(get(&configured(words), "loglevel"), level, "{words:?}");
    }
}

#[test]
fn shapes_refuse_with_the_words_of_redis() {
    use super::shape::Shape;
    for (shape, text, expected) in [
        (Shape::Number(0, 9), "x", "argument couldn't be parsed into an integer"),
        (Shape::Number(0, 9), "10", "argument must be between 0 and 9 inclusive"),
        (Shape::Memory(1, 9), "x", "argument must be a memory value"),
        (Shape::Memory(1, 9), "0", "argument must be between 1 and 9 inclusive"),
        (Shape::Bool, "x", "argument must be 'yes' or 'no'"),
        (Shape::Word(&["a", "b"]), "x", "argument(s) must be one of the following: a, b"),
        (Shape::Octal, "9", "argument couldn't be parsed as an octal number up to 777"),
        (Shape::Octal, "1000", "argument couldn't be parsed as an octal number up to 777"),
        (Shape::Decimal(0.0, 1.0), "2", "argument must be between 0 and 1 inclusive"),
        (Shape::Decimal(0.0, 1.0), "x", "argument couldn't be parsed into a number"),
        (Shape::Decimal(0.0, 1.0), "nan", "argument must be between 0 and 1 inclusive"),
    ] {
        assert_eq!(shape.read(text), Err(expected.to_owned()), "{shape:?} {text}");
    }
    assert_eq!(Shape::Word(&["ab"]).read("AB"), Ok(Value::Text("ab".to_owned())));
}

#[test]
fn what_has_no_effect_is_told() {
    let config =
        configured(&["--hz", "20", "--dynamic-hz=no", "--active-defrag-threshold-lower=1"]);
    let told = config.without_effect();
    let names: Vec<_> = told.values().flatten().copied().collect();
    assert_eq!(names.len(), 3, "{told:?}");
    assert!(names.contains(&"active-defrag-threshold-lower"), "{told:?}");
}

#[test]
fn help_fits_the_screen_and_finds_words() {
    let all = help::help(Some(""));
    for line in all.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    for row in parameters() {
        assert!(all.contains(&format!("  --{} ", row.name)), "{}", row.name);
    }
    let short = help::help(None);
    assert!(short.contains("--timeout 0") && !short.contains("--hz"), "{short}");
    assert!(short.lines().count() < 130, "{short}");
    let found = help::help(Some("keepalive"));
    assert!(found.contains("--tcp-keepalive") && !found.contains("--timeout"), "{found}");
}

#[test]
fn the_document_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    assert!(document == help::markdown(), "docs/configuration.md is stale: run `make docs`");
}
