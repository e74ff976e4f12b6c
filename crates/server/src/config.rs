//! Flags and configuration: one table of parameters drives the command line, CONFIG GET and SET,
//! and `--help`.
//!
//! A parameter has Redis's name, other names under which people know it (Dragonfly's), a meaning
//! and two functions that read and write its field. Values are kept in [`Config`], whose fields
//! that may change while the server runs are atomics or behind a lock, and read rarely.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use keyspace::DATABASES;
use parking_lot::RwLock;
use protocol::request::Limits;

/// The configuration of a server.
pub struct Config {
    /// TCP port; 0 for none, -1 for a free one, which stands here once it is found.
    pub port: AtomicI64,
    /// Addresses to listen on.
    pub bind: RwLock<Vec<String>>,
    /// Path of a unix socket, or nothing.
    pub unix_socket: RwLock<String>,
    /// Permissions of the unix socket, or zero.
    pub unix_socket_mode: AtomicU64,
    /// Number of threads that serve connections.
    pub threads: AtomicUsize,
    /// The password of the default user, or nothing.
    pub password: RwLock<String>,
    /// Connections at a time.
    pub clients_max: AtomicUsize,
    /// Length of a TCP listener's queue.
    pub backlog: AtomicUsize,
    /// Seconds between TCP keepalive probes, or zero.
    pub keepalive_s: AtomicU64,
    /// Whether DEBUG may be used: `no`, `local` or `yes`.
    pub debug_command: RwLock<String>,
    /// The least important messages that are logged.
    pub log_level: RwLock<String>,
    /// Calls that take at least so many microseconds are logged; negative for none.
    pub slow_us: AtomicI64,
    /// Requests of at least so many bytes are logged; negative for none.
    pub large_request_bytes: AtomicI64,
    /// Replies of at least so many bytes are logged; negative for none.
    pub large_reply_bytes: AtomicI64,
    /// Milliseconds from which on an event is kept for LATENCY; 0 for none.
    pub latency_threshold_ms: AtomicU64,
    /// Whether times of commands go into histograms.
    pub latency_tracking: AtomicBool,
    /// Bytes of memory above which commands that need more are refused; 0 for no limit.
    pub memory_max: AtomicU64,
}

/// One parameter of the configuration.
pub struct Parameter {
    /// Redis's name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// One line of documentation.
    pub summary: &'static str,
    /// Whether CONFIG SET may change it.
    pub mutable: bool,
    /// Reads the value.
    pub get: fn(&Config) -> String,
    /// Sets the value from text; the error says what is wrong with it.
    pub set: fn(&Config, &str) -> Result<(), String>,
}

fn whole(text: &str, min: i64, max: i64) -> Result<i64, String> {
    let value: i64 =
        text.parse().map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

fn count(text: &str, min: i64, max: i64) -> Result<usize, String> {
    whole(text, min, max).map(|value| usize::try_from(value).unwrap_or(0))
}

fn one_of(text: &str, words: &[&str]) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    if words.contains(&lower.as_str()) {
        Ok(lower)
    } else {
        Err(format!("argument(s) must be one of the following: {}", words.join(", ")))
    }
}

/// For a parameter that clients ask for, but that has one value only.
fn only(text: &str, value: &str) -> Result<(), String> {
    if text == value { Ok(()) } else { Err(format!("argument must be '{value}'")) }
}

/// All parameters, sorted by name.
pub static PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "appendonly",
        aliases: &[],
        summary: "Whether changes are logged to disk: no, as data are kept in memory only.",
        mutable: false,
        get: |_| "no".to_owned(),
        set: |_, text| only(text, "no"),
    },
    Parameter {
        name: "bind",
        aliases: &[],
        summary: "Addresses to listen on, separated by spaces; * for all.",
        mutable: false,
        get: |config| config.bind.read().join(" "),
        set: |config, text| {
            let addresses: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
            for address in &addresses {
                listen_address(address)?;
            }
            *config.bind.write() = addresses;
            Ok(())
        },
    },
    Parameter {
        name: "databases",
        aliases: &[],
        summary: "Databases, numbered from 0; there are always as many.",
        mutable: false,
        get: |_| DATABASES.to_string(),
        set: |_, text| only(text, &DATABASES.to_string()),
    },
    Parameter {
        name: "enable-debug-command",
        aliases: &[],
        summary: "Who may use DEBUG: no, local or yes.",
        mutable: false,
        get: |config| config.debug_command.read().clone(),
        set: |config, text| {
            *config.debug_command.write() = one_of(text, &["no", "yes", "local"])?;
            Ok(())
        },
    },
    Parameter {
        name: "loglevel",
        aliases: &[],
        summary: "The least important messages that are logged: debug, verbose, notice, warning.",
        mutable: true,
        get: |config| config.log_level.read().clone(),
        set: |config, text| {
            *config.log_level.write() =
                one_of(text, &["debug", "verbose", "notice", "warning", "nothing"])?;
            crate::logging::set_level(&config.log_level.read());
            Ok(())
        },
    },
    Parameter {
        name: "maxclients",
        aliases: &[],
        summary: "Connections at a time.",
        mutable: true,
        get: |config| config.clients_max.load(Relaxed).to_string(),
        set: |config, text| {
            config.clients_max.store(count(text, 1, i64::from(u32::MAX))?, Relaxed);
            Ok(())
        },
    },
    Parameter {
        name: "port",
        aliases: &[],
        summary: "TCP port; 0 for none, -1 for any free one.",
        mutable: false,
        get: |config| config.port.load(Relaxed).to_string(),
        set: |config, text| {
            config.port.store(whole(text, -1, 65_535)?, Relaxed);
            Ok(())
        },
    },
    Parameter {
        name: "proto-max-bulk-len",
        aliases: &[],
        summary: "Bytes of the longest argument and the longest string; always as many.",
        mutable: false,
        get: |_| Limits::LOGGED_IN.bulk_len_max.to_string(),
        set: |_, text| only(text, &Limits::LOGGED_IN.bulk_len_max.to_string()),
    },
    Parameter {
        name: "requirepass",
        aliases: &[],
        summary: "Password that clients must give with AUTH; empty for none.",
        mutable: true,
        get: |config| config.password.read().clone(),
        set: |config, text| {
            text.clone_into(&mut config.password.write());
            Ok(())
        },
    },
    Parameter {
        name: "save",
        aliases: &[],
        summary: "When to save to disk: never, as data are kept in memory only.",
        mutable: false,
        get: |_| String::new(),
        set: |_, text| only(text, ""),
    },
    Parameter {
        name: "tcp-backlog",
        aliases: &[],
        summary: "Connections that may wait to be accepted.",
        mutable: false,
        get: |config| config.backlog.load(Relaxed).to_string(),
        set: |config, text| {
            config.backlog.store(count(text, 1, i64::from(i32::MAX))?, Relaxed);
            Ok(())
        },
    },
    Parameter {
        name: "tcp-keepalive",
        aliases: &[],
        summary: "Seconds of silence after which a connection is probed; 0 for never.",
        mutable: true,
        get: |config| config.keepalive_s.load(Relaxed).to_string(),
        set: |config, text| {
            config.keepalive_s.store(count(text, 0, 32_767)? as u64, Relaxed);
            Ok(())
        },
    },
    Parameter {
        name: "threads",
        aliases: &["io-threads", "proactor-threads"],
        summary: "Threads that serve connections; 0 for one per core.",
        mutable: false,
        get: |config| config.threads.load(Relaxed).to_string(),
        set: |config, text| {
            config.threads.store(count(text, 0, 1024)?, Relaxed);
            Ok(())
        },
    },
    Parameter {
        name: "unixsocket",
        aliases: &[],
        summary: "Path of a unix socket to listen on.",
        mutable: false,
        get: |config| config.unix_socket.read().clone(),
        set: |config, text| {
            text.clone_into(&mut config.unix_socket.write());
            Ok(())
        },
    },
    Parameter {
        name: "unixsocketperm",
        aliases: &[],
        summary: "Permissions of the unix socket, in octal.",
        mutable: false,
        get: |config| format!("{:o}", config.unix_socket_mode.load(Relaxed)),
        set: |config, text| match u64::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o777 => {
                config.unix_socket_mode.store(mode, Relaxed);
                Ok(())
            }
            _ => Err("argument must be an octal number up to 777".to_owned()),
        },
    },
];

impl Default for Config {
    fn default() -> Self {
        Self {
            port: AtomicI64::new(6379),
            bind: RwLock::new(vec!["*".into(), "-::*".into()]),
            unix_socket: RwLock::new(String::new()),
            unix_socket_mode: AtomicU64::new(0),
            threads: AtomicUsize::new(0),
            password: RwLock::new(String::new()),
            clients_max: AtomicUsize::new(10_000),
            backlog: AtomicUsize::new(511),
            keepalive_s: AtomicU64::new(300),
            debug_command: RwLock::new("no".into()),
            log_level: RwLock::new("notice".into()),
            slow_us: AtomicI64::new(10_000),
            large_request_bytes: AtomicI64::new(1024 * 1024),
            large_reply_bytes: AtomicI64::new(1024 * 1024),
            latency_threshold_ms: AtomicU64::new(0),
            latency_tracking: AtomicBool::new(true),
            memory_max: AtomicU64::new(0),
        }
    }
}

/// An address of `bind`, and whether the server does without it when it is not to be had.
pub fn listen_address(text: &str) -> Result<(IpAddr, bool), String> {
    let (optional, address) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let address = match address {
        "*" => "0.0.0.0",
        "::*" => "::",
        "localhost" => "127.0.0.1",
        other => other,
    };
    let parsed = address.parse().map_err(|_| format!("'{text}' is not an address"))?;
    Ok((parsed, optional))
}

/// The parameter with this name or alias; dashes and underscores are the same.
pub fn parameter(name: &str) -> Option<&'static Parameter> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    PARAMETERS.iter().find(|p| p.name == name || p.aliases.contains(&name.as_str()))
}

/// What the command line asks for.
pub enum Invocation {
    /// To serve, with this configuration.
    Serve(Box<Config>),
    /// To print a text and end.
    Print(String),
}

/// Reads the command line: `--name value` or `--name=value`.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Invocation, String> {
    let config = Config::default();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            return Err(format!("unexpected argument '{word}'; see --help"));
        };
        match flag {
            "help" | "h" => return Ok(Invocation::Print(help())),
            "version" | "v" => return Ok(Invocation::Print(crate::version_line())),
            _ => {}
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let value = words.next().ok_or_else(|| format!("--{flag} needs a value"))?;
                (flag, value)
            }
        };
        let parameter = parameter(name).ok_or_else(|| unknown(name))?;
        (parameter.set)(&config, &value).map_err(|error| format!("--{name} {value}: {error}"))?;
    }
    Ok(Invocation::Serve(Box::new(config)))
}

fn unknown(name: &str) -> String {
    let known = PARAMETERS.iter().flat_map(|p| p.aliases.iter().chain([&p.name]));
    match known.min_by_key(|known| distance(known, name)) {
        Some(nearest) if distance(nearest, name) <= 3 => {
            format!("unknown flag --{name}; did you mean --{nearest}?")
        }
        _ => format!("unknown flag --{name}; see --help"),
    }
}

/// Edits that turn one word into another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn help() -> String {
    let mut text = crate::version_line();
    text.push_str("\nAn in-memory data store that speaks Redis on all cores.\n\n");
    text.push_str("Usage: dragonfly [--flag value | --flag=value]...\n\nFlags (with defaults):\n");
    let defaults = Config::default();
    for parameter in PARAMETERS {
        let value = (parameter.get)(&defaults);
        let value = if value.is_empty() { "none".to_owned() } else { value };
        text.push_str(&format!("  --{} ({value})\n      {}\n", parameter.name, parameter.summary));
        if !parameter.aliases.is_empty() {
            text.push_str(&format!("      Also: --{}\n", parameter.aliases.join(", --")));
        }
    }
    text.push_str("  --help, --version\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Invocation, String> {
        parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn flags_are_read_in_all_their_forms() {
        for words in [
            &["--port", "7000", "--proactor_threads=3"][..],
            &["--port=7000", "--threads", "3"],
            &["-port=7000", "--io-threads=3"],
        ] {
            let Ok(Invocation::Serve(config)) = parse_words(words) else { panic!("{words:?}") };
            assert_eq!(config.port.load(Relaxed), 7000);
            assert_eq!(config.threads.load(Relaxed), 3);
        }
    }

    #[test]
    fn wrong_flags_are_named() {
        for (words, expected) in [
            (&["--prot", "1"][..], "did you mean --port?"),
            (&["--port", "x"], "couldn't be parsed"),
            (&["--port", "70000"], "between -1 and 65535"),
            (&["--port"], "needs a value"),
            (&["port"], "unexpected argument"),
            (&["--no-such-thing-at-all", "1"], "see --help"),
        ] {
            match parse_words(words) {
                Err(error) => assert!(error.contains(expected), "{words:?}: {error}"),
                Ok(_) => panic!("{words:?} was accepted"),
            }
        }
    }

    #[test]
    fn parameters_are_sorted_and_take_their_own_values() {
        assert!(PARAMETERS.is_sorted_by(|a, b| a.name < b.name));
        let config = Config::default();
        for parameter in PARAMETERS {
            let value = (parameter.get)(&config);
            assert_eq!((parameter.set)(&config, &value), Ok(()), "{}", parameter.name);
            assert_eq!((parameter.get)(&config), value);
        }
    }
}
