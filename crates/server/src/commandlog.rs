//! The command log: which commands were slow, and which had large requests or large replies.
//!
//! There are three logs, one per [`Kind`]. Each keeps its newest entries, as many as the
//! configuration says. A command comes here only when it is over a limit, so a lock will do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;

use crate::config::Config;

/// Words of a command that are kept.
const WORDS_MAX: usize = 32;
/// Bytes of a word that are kept.
const WORD_LEN_MAX: usize = 128;
/// Why a command is in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It took long.
    Slow,
    /// Its words had many bytes.
    LargeRequest,
    /// Its reply had many bytes.
    LargeReply,
}

/// What is noted of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    /// When, in seconds of Unix time.
    pub unix_s: u64,
    /// Microseconds, or bytes.
    pub cost: u64,
    /// Its words, as [`trimmed`] makes them.
    pub args: Vec<Vec<u8>>,
    /// The client's address.
    pub addr: String,
    /// The client's name.
    pub name: String,
}

/// An entry of a log.
#[derive(Debug)]
pub struct Entry {
    /// Its number, which only rises.
    pub id: u64,
    /// What was noted.
    pub noted: Noted,
}

/// The three logs.
#[derive(Default)]
pub struct CommandLog {
    slow: Mutex<Log>,
    large_request: Mutex<Log>,
    large_reply: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// The newest first.
    entries: VecDeque<Arc<Entry>>,
    next_id: u64,
}

impl Kind {
    /// The kind with this name, as COMMANDLOG takes it.
    pub fn named(name: &[u8]) -> Option<Self> {
        let kinds = [
            ("slow", Self::Slow),
            ("large-request", Self::LargeRequest),
            ("large-reply", Self::LargeReply),
        ];
        let named = |(known, _): &&(&str, Self)| name.eq_ignore_ascii_case(known.as_bytes());
        kinds.iter().find(named).map(|(_, kind)| *kind)
    }

    /// The cost from which on a command is noted; never if negative.
    #[inline]
    pub fn threshold(self, config: &Config) -> i64 {
        match self {
            Self::Slow => config.slow_us.load(Relaxed),
            Self::LargeRequest => config.large_request_bytes.load(Relaxed),
            Self::LargeReply => config.large_reply_bytes.load(Relaxed),
        }
    }

    fn len_max(self, config: &Config) -> usize {
        let len_max = match self {
            Self::Slow => config.slow_len_max.load(Relaxed),
            Self::LargeRequest => config.large_request_len_max.load(Relaxed),
            Self::LargeReply => config.large_reply_len_max.load(Relaxed),
        };
        usize::try_from(len_max).unwrap_or(usize::MAX)
    }
}

impl CommandLog {
    /// Notes a command. What the log has no room for is forgotten, the oldest first.
    #[cold]
    pub fn note(&self, config: &Config, kind: Kind, noted: Noted) {
        let mut log = self.log(kind).lock();
        let id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(Arc::new(Entry { id, noted }));
        log.entries.truncate(kind.len_max(config));
    }

    /// The newest entries of a log, at most so many, the newest first.
    pub fn newest(&self, kind: Kind, count: usize) -> Vec<Arc<Entry>> {
        self.log(kind).lock().entries.iter().take(count).cloned().collect()
    }

    /// Entries in a log.
    pub fn len(&self, kind: Kind) -> usize {
        self.log(kind).lock().entries.len()
    }

    /// Empties a log. Numbers go on.
    pub fn reset(&self, kind: Kind) {
        self.log(kind).lock().entries.clear();
    }

    fn log(&self, kind: Kind) -> &Mutex<Log> {
        match kind {
            Kind::Slow => &self.slow,
            Kind::LargeRequest => &self.large_request,
            Kind::LargeReply => &self.large_reply,
        }
    }
}

/// The words of a command as a log keeps them: not too many, none too long. `count` is how many
/// there are.
pub fn trimmed<'a>(words: impl Iterator<Item = &'a [u8]>, count: usize) -> Vec<Vec<u8>> {
    let kept = if count > WORDS_MAX { WORDS_MAX - 1 } else { count };
    let mut trimmed: Vec<Vec<u8>> = words.take(kept).map(cut).collect();
    if kept < count {
        trimmed.push(format!("... ({} more arguments)", count - kept).into_bytes());
    }
    trimmed
}

fn cut(word: &[u8]) -> Vec<u8> {
    match word.split_at_checked(WORD_LEN_MAX) {
        Some((start, rest)) if !rest.is_empty() => {
            [start, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
        }
        _ => word.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trim(words: &[&str]) -> Vec<String> {
        let words = trimmed(words.iter().map(|word| word.as_bytes()), words.len());
        words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    fn noted(cost: u64) -> Noted {
        Noted { unix_s: 1, cost, args: Vec::new(), addr: String::new(), name: String::new() }
    }

    #[test]
    fn words_are_trimmed_as_redis_does() {
        let long = "x".repeat(300);
        assert_eq!(trim(&["SET", "a", &long])[2], "x".repeat(128) + "... (172 more bytes)");
        assert_eq!(trim(&["SET", "a", &long[..128]])[2], "x".repeat(128));
        let many = ["w"; 40];
        let words = trim(&many);
        assert_eq!((words.len(), words[31].as_str()), (32, "... (9 more arguments)"));
        assert_eq!(trim(&many[..32]).len(), 32);
        assert_eq!(trim(&many[..32])[31], "w");
    }

    #[test]
    fn a_log_keeps_its_newest_entries() {
        let (log, config) = (CommandLog::default(), Config::default());
        config.slow_len_max.store(3, Relaxed);
        (0..5).for_each(|cost| log.note(&config, Kind::Slow, noted(cost)));
        let ids = |count| log.newest(Kind::Slow, count).iter().map(|e| e.id).collect::<Vec<_>>();
        assert_eq!((ids(10), ids(2), log.len(Kind::Slow)), (vec![4, 3, 2], vec![4, 3], 3));
        assert_eq!(log.len(Kind::LargeReply), 0);
        log.reset(Kind::Slow);
        log.note(&config, Kind::Slow, noted(7));
        assert_eq!(log.newest(Kind::Slow, 9)[0].id, 5);
        config.slow_len_max.store(0, Relaxed);
        log.note(&config, Kind::Slow, noted(8));
        assert_eq!(log.len(Kind::Slow), 0);
    }

    #[test]
    fn kinds_are_named_in_any_case() {
        assert_eq!(Kind::named(b"SLOW"), Some(Kind::Slow));
        assert_eq!(Kind::named(b"large-request"), Some(Kind::LargeRequest));
        assert_eq!(Kind::named(b"large"), None);
    }
}
