//! MONITOR: clients that are told every command that runs.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::clients::Client;
use crate::watch::Done;

/// Bytes of a word that are shown: more would keep a thread busy for long.
const WORD_MAX: usize = 64 * 1024;

/// The clients that are told.
#[derive(Default)]
pub struct Monitors {
    clients: Mutex<Vec<Arc<Client>>>,
    count: AtomicUsize,
}

impl Monitors {
    /// Whether there are any.
    #[inline]
    pub fn are_any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Adds a client, once.
    pub fn add(&self, client: &Arc<Client>) {
        let mut clients = self.clients.lock();
        if clients.iter().all(|other| other.id != client.id) {
            clients.push(client.clone());
        }
        self.count.store(clients.len(), Relaxed);
    }

    /// Takes a client away.
    pub fn remove(&self, id: u64) {
        let mut clients = self.clients.lock();
        clients.retain(|client| client.id != id);
        self.count.store(clients.len(), Relaxed);
    }

    /// Tells them of a call.
    pub fn tell(&self, done: &Done<'_>) {
        let line: Arc<[u8]> = line(done).into_bytes().into();
        for client in self.clients.lock().iter() {
            client.push(line.clone());
        }
    }
}

/// The line for a call: `+1700000000.123456 [0 127.0.0.1:6000] "get" "key"`.
fn line(done: &Done<'_>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = write!(line, "+{}.{:06}", now.as_secs(), now.subsec_micros());
    let _ = write!(line, " [{} {}]", done.db, done.client.addr);
    for word in crate::redact::words(done.command, done.args) {
        line.push(' ');
        quote(&mut line, &word[..word.len().min(WORD_MAX)]);
        if word.len() > WORD_MAX {
            let _ = write!(line, "... ({} more bytes)", word.len() - WORD_MAX);
        }
    }
    line.push_str("\r\n");
    line
}

/// Adds a word in quotes, with escapes as in Redis.
fn quote(line: &mut String, word: &[u8]) {
    line.push('"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => {
                line.push('\\');
                line.push(char::from(byte));
            }
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            0x07 => line.push_str("\\a"),
            0x08 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_quoted_as_in_redis() {
        let mut line = String::new();
        super::quote(&mut line, b"a \"b\"\\\r\n\t\x07\x08\x00\xff~");
        assert_eq!(line, r#""a \"b\"\\\r\n\t\a\b\x00\xff~""#);
    }
}
