//! Named bad inputs: bytes that must do no harm, and what is to come of them, in files to read.
//!
//! ```text
//! @flags --requirepass secret     flags for the server; only at the top
//! case a negative count           a case begins, with its name
//! from reliability.md 2.4         whom it hurt, or where it comes from
//! > "*-5\r\n" "PING\r\n" * 3      bytes: texts in quotes, each perhaps many times
//! $ SET k <x*1000>                a command, as clients send it
//! +PONG                           a reply, see `notation`
//! 3 times +PONG                   several that are the same
//! end open                        the connection still works (the default), or it is `closed`, or
//!                                 the server `waits` for more bytes, or the client hangs up with
//!                                 replies `unread`
//! cap 64                          MiB by which the server may grow meanwhile (the default: 16)
//! connections 200                 so many clients do this at once
//! after GET k                     a command afterwards, on another connection, and its reply
//! +OK                             … below it
//! ```
//!
//! Commands are sent whole, in pieces, and over RESP3; the replies must be these and no others.

use std::path::Path;

use crate::notation::{self, Pattern};
use crate::transcript;

/// MiB by which the server may grow, unless a case says otherwise.
const CAP: u64 = 16;

/// What a connection is like when all replies have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The next command is answered.
    Open,
    /// The server has closed it.
    Closed,
    /// The server waits for the rest of a command.
    Waits,
    /// The client never read.
    Unread,
}

/// One bad input.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Where it comes from.
    pub from: String,
    /// What is sent.
    pub bytes: Vec<u8>,
    /// Replies that are to come, with how often.
    pub replies: Vec<(usize, Pattern)>,
    /// How it ends.
    pub end: End,
    /// Bytes by which the server may grow.
    pub cap: u64,
    /// Clients that do it at once.
    pub connections: usize,
    /// What is asked afterwards, and what is to be answered.
    pub after: Vec<(Vec<Vec<u8>>, Pattern)>,
}

/// A file of cases.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Flags for the server.
    pub flags: Vec<String>,
    /// What it has.
    pub cases: Vec<Case>,
}

impl File {
    /// Reads a file.
    ///
    /// # Panics
    /// When a line makes no sense.
    pub fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut file = Self { name, flags: Vec::new(), cases: Vec::new() };
        let mut question = None;
        for (index, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            if line.trim().is_empty() || line == "#" || line.starts_with("# ") {
                continue;
            }
            if let Err(error) = file.line(line, &mut question) {
                panic!("{}:{}: {error}: {line}", path.display(), index + 1);
            }
        }
        file
    }

    fn line(&mut self, line: &str, question: &mut Option<Vec<Vec<u8>>>) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "@flags" {
            self.flags = rest.split(' ').map(str::to_owned).collect();
            return Ok(());
        }
        if word == "case" {
            let (from, bytes, replies, after) = Default::default();
            let (end, cap, connections) = (End::Open, CAP << 20, 1);
            let name = rest.to_owned();
            self.cases.push(Case { name, from, bytes, replies, end, cap, connections, after });
            return Ok(());
        }
        let case = self.cases.last_mut().ok_or("before the first case")?;
        let number = |text: &str| text.parse::<usize>().map_err(|error| error.to_string());
        match word {
            "from" => case.from = rest.into(),
            ">" => case.bytes.extend(bytes(rest)?),
            "$" => case.bytes.extend(crate::resp::encode(&command(rest)?)),
            "cap" => case.cap = (number(rest)? as u64) << 20,
            "connections" => case.connections = number(rest)?,
            "after" => *question = Some(command(rest)?),
            "end" => {
                case.end = match rest {
                    "open" => End::Open,
                    "closed" => End::Closed,
                    "waits" => End::Waits,
                    "unread" => End::Unread,
                    _ => return Err("how does it end?".into()),
                }
            }
            _ => {
                let (times, reply) = line.split_once(" times ").unwrap_or(("1", line));
                let (times, pattern) = (number(times)?, notation::parse(reply)?);
                match question.take() {
                    Some(words) => case.after.push((words, pattern)),
                    None => case.replies.push((times, pattern)),
                }
            }
        }
        Ok(())
    }
}

/// Texts in quotes, each perhaps with a star and a number behind it.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (piece, behind) = notation::unquote(rest)?;
        rest = behind.trim_start();
        let mut times = 1;
        if let Some(behind) = rest.strip_prefix("* ") {
            let (number, behind) = behind.split_once(' ').unwrap_or((behind, ""));
            times = number.parse().map_err(|_| format!("'{number}' times?"))?;
            rest = behind.trim_start();
        }
        bytes.extend(piece.repeat(times));
    }
    Ok(bytes)
}

/// The words of a command; one between angle brackets is a text many times over.
fn command(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let repeated = |word: &[u8]| -> Option<Vec<u8>> {
        let inner = word.strip_prefix(b"<")?.strip_suffix(b">")?;
        let (piece, times) = std::str::from_utf8(inner).ok()?.rsplit_once('*')?;
        Some(piece.repeat(times.parse().ok()?).into_bytes())
    };
    let words = transcript::words(text)?;
    Ok(words.into_iter().map(|word| repeated(&word).unwrap_or(word)).collect())
}

/// All files, by name.
///
/// # Panics
/// When they cannot be read.
pub fn all() -> Vec<File> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().map(|path| File::read(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_repeated() {
        assert_eq!(bytes("\"a\" * 3 \"b\\r\\n\"").unwrap(), b"aaab\r\n");
        assert_eq!(command("SET k <xy*2>").unwrap(), [&b"SET"[..], b"k", b"xyxy"]);
        assert!(bytes("a").is_err() && bytes("\"a\" * b").is_err());
    }
}
