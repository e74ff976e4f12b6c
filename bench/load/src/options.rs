//! What the command line can ask for. Options are `--name value`; unknown ones are refused.

use crate::command::{Command, Expects};
use std::fmt;
use std::str::FromStr;

/// Printed when the command line is not understood.
pub const USAGE: &str = "\
usage: bench-load [--port N | --unix PATH] [options]
  --protocol resp|memcache         default resp
  --workload set|get|mixed|mset10|mget10|ping|incr
                                   mixed: one SET to ten GETs; default get
  --command TEXT                   a workload of your own: words with places for numbers, {12} the
                                   next in 12 digits, {=12} the last again, {=6+99} plus 99, {~9}
                                   scattered; with --fill, instead of SET; several commands that
                                   are sent together are parted by ' ; '
  --expect done|integer|value|text|array|integer:N|values:N|items:N
                                   the right reply to --command; values have --value-size bytes;
                                   those of several commands are parted by ';'
  --connections N --threads N      default 50, 1; connections are dealt out to the threads
  --pipeline N                     requests in a batch; default 1
  --seconds S                      default 3
  --keys N --first N               key numbers first .. first + keys; default 1000000, 0
  --value-size BYTES               default 64
  --distribution uniform|zipf|hot  zipf: exponent 0.99; hot: one key; default uniform
  --seed N                         default 1
  --fill                           SET every key once, in order, instead of a workload;
                                   a command without numbers is sent --keys times
  --expire-ms N                    with --fill: let the keys expire
  --any-reply                      count replies without checking them (for bench-echo)
  --json                           print JSON";

/// Requests in one batch at most: what the driver keeps per connection grows with it.
const PIPELINE_MAX: usize = 10_000;
const CONNECTIONS_MAX: usize = 20_000;
const THREADS_MAX: usize = 64;
/// Key numbers have twelve digits, and a zipf table is built over all of them.
const KEYS_MAX: u64 = 1 << 32;
const VALUE_BYTES_MAX: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Resp,
    Memcache,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    Set,
    Get,
    Mixed,
    Mset10,
    Mget10,
    Ping,
    Incr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    Uniform,
    Zipf,
    Hot,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Port(u16),
    Unix(String),
}

#[derive(Clone, Debug)]
pub struct Options {
    pub target: Target,
    pub protocol: Protocol,
    pub workload: Workload,
    pub command: Option<Command>,
    pub expects: Option<Expects>,
    pub connections: usize,
    pub threads: usize,
    pub pipeline: usize,
    pub seconds: f64,
    pub first: u64,
    pub keys: u64,
    pub value_bytes: usize,
    pub distribution: Spread,
    pub seed: u64,
    pub fill: bool,
    pub expire_ms: Option<u64>,
    pub any_reply: bool,
    pub json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: Target::Port(6379),
            protocol: Protocol::Resp,
            workload: Workload::Get,
            command: None,
            expects: None,
            connections: 50,
            threads: 1,
            pipeline: 1,
            seconds: 3.0,
            first: 0,
            keys: 1_000_000,
            value_bytes: 64,
            distribution: Spread::Uniform,
            seed: 1,
            fill: false,
            expire_ms: None,
            any_reply: false,
            json: false,
        }
    }
}

impl Options {
    /// Reads the words after the program's name, or says which of them is wrong.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = words.next() {
            match name.as_str() {
                "--fill" => options.fill = true,
                "--any-reply" => options.any_reply = true,
                "--json" => options.json = true,
                _ => {
                    let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
                    options.set(&name, &value)?;
                }
            }
        }
        options.check()?;
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--port" => self.target = Target::Port(parsed(name, value)?),
            "--unix" => self.target = Target::Unix(value.to_owned()),
            "--protocol" => self.protocol = choice(name, value, &PROTOCOLS)?,
            "--workload" => self.workload = choice(name, value, &WORKLOADS)?,
            "--command" => self.command = Some(parsed(name, value)?),
            "--expect" => self.expects = Some(parsed(name, value)?),
            "--distribution" => self.distribution = choice(name, value, &SPREADS)?,
            "--connections" => self.connections = parsed(name, value)?,
            "--threads" => self.threads = parsed(name, value)?,
            "--pipeline" => self.pipeline = parsed(name, value)?,
            "--seconds" => self.seconds = parsed(name, value)?,
            "--keys" => self.keys = parsed(name, value)?,
            "--first" => self.first = parsed(name, value)?,
            "--value-size" => self.value_bytes = parsed(name, value)?,
            "--seed" => self.seed = parsed(name, value)?,
            "--expire-ms" => self.expire_ms = Some(parsed(name, value)?),
            _ => return Err(format!("unknown option {name}")),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let limits = [
            ("--pipeline", self.pipeline, 1, PIPELINE_MAX),
            ("--threads", self.threads, 1, THREADS_MAX),
            ("--connections", self.connections, self.threads, CONNECTIONS_MAX),
            ("--value-size", self.value_bytes, 0, VALUE_BYTES_MAX),
        ];
        for (name, value, min, max) in limits {
            if !(min..=max).contains(&value) {
                return Err(format!("{name} must lie between {min} and {max}"));
            }
        }
        if self.keys == 0 || self.keys > KEYS_MAX || self.first > KEYS_MAX {
            return Err(format!("--keys and --first must lie within {KEYS_MAX}"));
        }
        if !(self.seconds > 0.0 && self.seconds < 86_400.0) {
            return Err("--seconds must be above 0 and below a day".to_owned());
        }
        if self.expire_ms.is_some() && !self.fill {
            return Err("--expire-ms goes with --fill".to_owned());
        }
        let resp_only = matches!(self.workload, Workload::Mset10 | Workload::Incr);
        let resp_only = self.command.is_some() || resp_only && !self.fill;
        if self.protocol == Protocol::Memcache && resp_only {
            return Err("memcache has no such workload".to_owned());
        }
        self.check_command()
    }

    fn check_command(&self) -> Result<(), String> {
        let replies = self.expects.as_ref().map(|expects| expects.0.len());
        if self.command.as_ref().map(|command| command.requests.len()) != replies {
            return Err("--command and --expect go together, one for one".to_owned());
        }
        let Some(command) = &self.command else { return Ok(()) };
        if self.fill && !self.keys.is_multiple_of(self.draws_per_request()) {
            return Err("--keys must be a multiple of the numbers in --command".to_owned());
        }
        if !command.has_room_for(self.first + self.keys - 1) {
            return Err("--command: the numbers do not fit their places".to_owned());
        }
        Ok(())
    }

    /// How many numbers of a fill a request uses up.
    pub fn draws_per_request(&self) -> u64 {
        self.command.as_ref().map_or(1, |command| command.draws().max(1) as u64)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(out, "port {port}"),
            Self::Unix(path) => write!(out, "{path}"),
        }
    }
}

const PROTOCOLS: [(&str, Protocol); 2] =
    [("resp", Protocol::Resp), ("memcache", Protocol::Memcache)];

const WORKLOADS: [(&str, Workload); 7] = [
    ("set", Workload::Set),
    ("get", Workload::Get),
    ("mixed", Workload::Mixed),
    ("mset10", Workload::Mset10),
    ("mget10", Workload::Mget10),
    ("ping", Workload::Ping),
    ("incr", Workload::Incr),
];

const SPREADS: [(&str, Spread); 3] =
    [("uniform", Spread::Uniform), ("zipf", Spread::Zipf), ("hot", Spread::Hot)];

fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name}: {value} is nothing it can take"))
}

fn choice<T: Copy>(name: &str, value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| *word == value);
    found.map(|(_, choice)| *choice).ok_or_else(|| format!("{name}: unknown choice {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_a_full_line() {
        let options = parse("--unix /s --workload mget10 --pipeline 30 --distribution zipf --json");
        let options = options.unwrap();
        assert_eq!(options.target, Target::Unix("/s".to_owned()));
        assert_eq!(options.workload, Workload::Mget10);
        assert_eq!((options.pipeline, options.connections), (30, 50));
        assert!(options.json && !options.fill);
    }

    #[test]
    fn refuses_what_it_cannot_do() {
        for line in [
            "--pipeline 0",
            "--threads 2 --connections 1",
            "--workload delete",
            "--keys",
            "--keys 0",
            "--seconds 0",
            "--expire-ms 5",
            "--protocol memcache --workload mset10",
            "--protocol memcache --command x --expect done",
            "--command x",
            "--command x --expect done;done",
            "--command {5} --expect done",
            "--command {6}{6} --expect done --fill --keys 5",
            "--what 1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
