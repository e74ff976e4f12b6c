//! Transcripts: commands and the replies expected, in files a user can read and sign.
//!
//! ```text
//! # A comment.
//! @flags --requirepass secret     flags for the server; only at the top
//! @redis                          from here on: holds for us and for Redis 7.0 (the default)
//! @valkey since 7.2               … for us and for Valkey 8.0
//! @ours Redis 8.4                 … for us alone, and why
//! @theirs we refuse this          … for Redis alone: where we differ on purpose, and why
//! @resp2   @resp3   @both         … in which protocols (the default: both)
//! @client second                  from here on another connection
//! @closed                         the connection is closed by the server
//! @let id CLIENT ID               runs a command and names its reply
//! > SET key "a\x00b" EX 10        a command
//! +OK                             its reply, see `notation`
//! > CLIENT LIST ID <id>           a named reply
//! > SET key <x*1000> EXAT <now+9> a thousand x; the time in seconds (<nowms+9>: milliseconds)
//! ```
//!
//! Each protocol gets a fresh server. With `TRANSCRIPT_UPDATE=missing` (or `all`) in the
//! environment replies are written into the file instead: Redis's, Valkey's or ours, as the section
//! says.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::Client;
use crate::notation::{self, Pattern};
use crate::resp::Value;
use crate::server::Server;

/// Whom a section holds for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Us and Redis.
    Redis,
    /// Us and Valkey.
    Valkey,
    /// Us alone.
    Ours,
    /// Redis alone.
    Theirs,
}

/// Who runs a transcript.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Our server.
    Ours,
    /// Debian's `redis-server`.
    Redis,
    /// `valkey-server`.
    Valkey,
}

impl Scope {
    /// Whether a target runs such a section.
    pub fn includes(self, target: Target) -> bool {
        match target {
            Target::Ours => self != Self::Theirs,
            Target::Redis => matches!(self, Self::Redis | Self::Theirs),
            Target::Valkey => self == Self::Valkey,
        }
    }

    /// Whose replies are written into the file.
    fn authority(self) -> Target {
        match self {
            Self::Redis | Self::Theirs => Target::Redis,
            Self::Valkey => Target::Valkey,
            Self::Ours => Target::Ours,
        }
    }
}

/// One line that does something.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its line in the file, from 1.
    pub line: usize,
    /// What it does.
    pub action: Action,
    /// Whom it holds for.
    pub scope: Scope,
    /// Whether it runs in RESP2 and in RESP3.
    pub protocols: [bool; 2],
    /// The connection.
    pub client: String,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs a command and compares its reply with what the lines say.
    Run {
        /// The command's line.
        command: String,
        /// The reply as it is written; nothing if it is not.
        expected: String,
        /// Where that stands in the file.
        lines: Range<usize>,
    },
    /// Runs a command and names its reply.
    Let {
        /// The name.
        name: String,
        /// The command's line.
        command: String,
    },
    /// Waits until the server has closed the connection.
    Closed,
}

/// A file of commands and expected replies.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Where it is.
    pub path: PathBuf,
    /// Flags for the server.
    pub flags: Vec<String>,
    /// What it does.
    pub steps: Vec<Step>,
}

impl Transcript {
    /// Reads a file.
    ///
    /// # Panics
    /// When it is not a transcript.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut reader = Reader {
            lines: text.lines().collect(),
            at: 0,
            scope: Scope::Redis,
            protocols: [true, true],
            client: "main".into(),
            transcript: Self { path: path.into(), flags: Vec::new(), steps: Vec::new() },
        };
        while reader.at < reader.lines.len() {
            let line = reader.at + 1;
            if let Err(error) = reader.step() {
                panic!("{}:{line}: {error}", path.display());
            }
        }
        reader.transcript
    }

    /// Whether a target has anything to run.
    pub fn concerns(&self, target: Target) -> bool {
        self.steps.iter().any(|step| step.scope.includes(target))
    }

    /// Runs it, and returns a text for each difference.
    pub fn run(&self, target: Target, resp3: bool, update: Option<Update>) -> Vec<Difference> {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let server = match target {
            Target::Ours => Server::start(&flags),
            Target::Redis => Server::start_other("redis-server", &flags),
            Target::Valkey => Server::start_other("valkey-server", &flags),
        };
        let mut run = Run {
            server: &server,
            resp3,
            clients: HashMap::new(),
            names: HashMap::new(),
            differences: Vec::new(),
        };
        for step in &self.steps {
            if !step.scope.includes(target) || !step.protocols[usize::from(resp3)] {
                continue;
            }
            let update = update
                .filter(|_| step.scope.authority() == target && (resp3 || !step.protocols[1]));
            run.step(step, update);
        }
        run.differences
    }
}

/// Whether replies are written into the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    /// Where there is none.
    Missing,
    /// Where it differs.
    All,
}

impl Update {
    /// What the environment says.
    pub fn from_environment() -> Option<Self> {
        match std::env::var("TRANSCRIPT_UPDATE").ok()?.as_str() {
            "missing" => Some(Self::Missing),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// A reply that is not what was expected.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What to tell about it.
    pub text: String,
    /// The lines to write in place of which, when the file is updated.
    pub correction: Option<(Range<usize>, String)>,
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    at: usize,
    scope: Scope,
    protocols: [bool; 2],
    client: String,
    transcript: Transcript,
}

impl Reader<'_> {
    /// Reads the line at hand, with the reply below it if it is a command.
    fn step(&mut self) -> Result<(), String> {
        let line = self.lines[self.at];
        self.at += 1;
        if line.trim().is_empty() || line == "#" || line.starts_with("# ") {
            return Ok(());
        }
        if let Some(directive) = line.strip_prefix('@') {
            return self.directive(directive);
        }
        let command = line.strip_prefix("> ").ok_or_else(|| format!("what is '{line}'?"))?;
        let line = self.at;
        let lines = self.reply_lines();
        let expected = self.lines[lines.clone()].join("\n");
        self.push(line, Action::Run { command: command.into(), expected, lines });
        Ok(())
    }

    /// The lines up to the next step.
    fn reply_lines(&mut self) -> Range<usize> {
        let start = self.at;
        while let Some(line) = self.lines.get(self.at) {
            let is_other = line.starts_with("> ") || line.starts_with('@') || *line == "#";
            if line.trim().is_empty() || is_other || line.starts_with("# ") {
                break;
            }
            self.at += 1;
        }
        start..self.at
    }

    fn push(&mut self, line: usize, action: Action) {
        let (scope, protocols, client) = (self.scope, self.protocols, self.client.clone());
        self.transcript.steps.push(Step { line, action, scope, protocols, client });
    }

    fn directive(&mut self, directive: &str) -> Result<(), String> {
        let (name, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let scope = match name {
            "redis" => Some(Scope::Redis),
            "valkey" => Some(Scope::Valkey),
            "ours" => Some(Scope::Ours),
            "theirs" => Some(Scope::Theirs),
            _ => None,
        };
        if let Some(scope) = scope {
            self.scope = scope;
            let needs_reason = scope != Scope::Redis;
            return if needs_reason && rest.is_empty() { Err("why?".into()) } else { Ok(()) };
        }
        match name {
            "flags" => self.transcript.flags = rest.split(' ').map(str::to_owned).collect(),
            "resp2" => self.protocols = [true, false],
            "resp3" => self.protocols = [false, true],
            "both" => self.protocols = [true, true],
            "client" => self.client = rest.into(),
            "closed" => self.push(self.at, Action::Closed),
            "let" => {
                let (name, command) = rest.split_once(' ').ok_or("a name and a command")?;
                self.push(self.at, Action::Let { name: name.into(), command: command.into() });
            }
            _ => return Err(format!("an unknown directive @{name}")),
        }
        Ok(())
    }
}

struct Run<'a> {
    server: &'a Server,
    resp3: bool,
    clients: HashMap<String, Client>,
    names: HashMap<String, String>,
    differences: Vec<Difference>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step, update: Option<Update>) {
        match &step.action {
            Action::Closed => {
                if let Some(mut client) = self.clients.remove(&step.client) {
                    let rest = client.read_to_end();
                    if !rest.is_empty() {
                        self.differ(step, format!("not closed, but {rest:?}"), None);
                    }
                }
            }
            Action::Let { name, command } => {
                let reply = self.command(&step.client, command);
                let value = match reply {
                    Value::Integer(number) => number.to_string(),
                    other => other.text(),
                };
                self.names.insert(name.clone(), value);
            }
            Action::Run { command, expected, lines } => {
                let reply = self.command(&step.client, command);
                let missing = expected.is_empty();
                let problem = self.problem(expected, &reply);
                let Some(problem) = problem else { return };
                let correct = match update {
                    None => false,
                    Some(Update::Missing) => missing,
                    Some(Update::All) => true,
                };
                let correction = correct.then(|| (lines.clone(), notation::write(&reply)));
                self.differ(step, format!("> {command}\n{problem}"), correction);
            }
        }
    }

    /// What is wrong with a reply, if anything is.
    fn problem(&self, expected: &str, reply: &Value) -> Option<String> {
        let written = notation::write(reply);
        if expected.is_empty() {
            return Some(format!("no reply is expected, but there is\n{written}"));
        }
        let pattern: Result<Pattern, String> = notation::parse(&self.expand(expected));
        match pattern {
            Err(error) => Some(format!("{expected}\nis not a reply: {error}")),
            Ok(pattern) if pattern.matches(reply, self.resp3) => None,
            Ok(_) => {
                let kind = match reply {
                    Value::NullArray => " (null array)",
                    Value::NullBulk => " (null bulk)",
                    _ => "",
                };
                Some(format!("expected {expected}\n     got {written}{kind}"))
            }
        }
    }

    fn command(&mut self, client: &str, line: &str) -> Value {
        let words = words(&self.expand(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
        let (server, resp3) = (self.server, self.resp3);
        let connect = || {
            let mut client = server.connect();
            if resp3 {
                client.run("HELLO 3");
            }
            client
        };
        self.clients.entry(client.into()).or_insert_with(connect).command(&words)
    }

    fn differ(&mut self, step: &Step, problem: String, correction: Option<(Range<usize>, String)>) {
        let protocol = if self.resp3 { "RESP3" } else { "RESP2" };
        let text = format!("line {} in {protocol}: {problem}", step.line);
        self.differences.push(Difference { text, correction });
    }

    /// Puts in what stands between angle brackets.
    fn expand(&self, line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('<') {
            out.push_str(before);
            let (token, behind) = after.split_once('>').unwrap_or((after, ""));
            if let Some(value) = self.token(token) {
                out.push_str(&value);
                rest = behind;
            } else {
                out.push('<');
                rest = after;
            }
        }
        out + rest
    }

    fn token(&self, token: &str) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        if let Some(name) = self.names.get(token) {
            return Some(name.clone());
        }
        if let Some(more) = token.strip_prefix("nowms") {
            let more: i64 = more.parse().ok()?;
            return Some((i64::try_from(now.as_millis()).ok()? + more).to_string());
        }
        if let Some(more) = token.strip_prefix("now") {
            let more: i64 = more.parse().ok()?;
            return Some((i64::try_from(now.as_secs()).ok()? + more).to_string());
        }
        let (piece, count) = token.rsplit_once('*')?;
        Some(piece.repeat(count.parse().ok()?))
    }
}

/// The words of a command: separated by spaces, or in double quotes with escapes.
pub fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('"') {
            let (word, behind) = notation::unquote(rest)?;
            words.push(word);
            rest = behind.trim_start();
        } else {
            let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(word.as_bytes().to_vec());
            rest = behind.trim_start();
        }
    }
    if words.is_empty() { Err("no command".into()) } else { Ok(words) }
}

/// All transcripts, by name.
///
/// # Panics
/// When they cannot be read.
pub fn all() -> Vec<Transcript> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().map(|path| Transcript::read(path)).collect()
}

/// Runs a transcript in both protocols against one target; corrects the file where that is asked
/// for. Returns what is wrong, as a text for humans.
///
/// # Panics
/// When the file cannot be corrected.
pub fn check(transcript: &Transcript, target: Target) -> String {
    let update = Update::from_environment();
    let mut report = String::new();
    let mut corrections = Vec::new();
    for resp3 in [true, false] {
        for difference in transcript.run(target, resp3, update) {
            if let Some(correction) = difference.correction {
                corrections.push(correction);
            } else {
                let name = transcript.path.file_name().unwrap_or_default().to_string_lossy();
                let _ = writeln!(report, "{name} on {target:?}, {}\n", difference.text);
            }
        }
    }
    if !corrections.is_empty() {
        correct(&transcript.path, corrections);
        let _ = writeln!(report, "{} was corrected; look at it", transcript.path.display());
    }
    report
}

fn correct(path: &Path, mut corrections: Vec<(Range<usize>, String)>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    corrections.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    corrections.dedup_by_key(|(range, _)| range.start);
    for (range, reply) in corrections {
        lines.splice(range, [reply]);
    }
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_unescaped() {
        let words = words("SET \"a b\" x  \"\" \"\\x00\\n\"").unwrap();
        assert_eq!(words, [&b"SET"[..], b"a b", b"x", b"", b"\0\n"]);
        assert!(super::words("").is_err());
        assert!(super::words("GET \"a").is_err());
    }
}
