//! Understanding replies as their bytes come, without keeping them.
//!
//! Only header lines are looked at; the contents of values are skipped by their length, also when
//! they span many reads. What survives from one read to the next is one broken line and a few
//! numbers. A reply is reduced to a `Reply`: its first sign and how many values of how many bytes
//! it had, which is enough to see that it answers the request.

use crate::options::Protocol;
use crate::request::Expect;

/// The longest line a reply may have; error texts are the longest.
pub const LINE_BYTES_MAX: usize = 4096;

/// What is remembered of one reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The sign of RESP; the words of memcached are mapped to it.
    sign: u8,
    /// The length of an array.
    items: Option<usize>,
    values: usize,
    value_bytes: usize,
    /// The number of an integer reply.
    number: Option<usize>,
    failed: bool,
}

/// The place in the stream of replies where the last read ended.
pub struct Replies {
    protocol: Protocol,
    line: Vec<u8>,
    /// Bytes of content, with their line end, that are still to come.
    skip: usize,
    /// Items of the current reply that are still to come; 0 between replies.
    open: usize,
    current: Reply,
}

impl Reply {
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// How many values it found, or nothing if it does not answer what was asked.
    pub fn hits(&self, expect: Expect, value_bytes: usize) -> Option<usize> {
        let right = match expect {
            Expect::Done => self.sign == b'+',
            Expect::Integer => self.sign == b':',
            Expect::Number(number) => self.sign == b':' && self.number == Some(number),
            Expect::Value => self.sign == b'$' && self.values <= 1,
            Expect::Text => self.sign == b'$' && self.values == 1,
            Expect::Items(count) => self.items == Some(count),
            Expect::Array => self.sign == b'*' && self.items.is_some(),
            Expect::Values(count) => match self.sign {
                b'*' => self.items == Some(count),
                b'$' => self.values <= count,
                _ => false,
            },
        };
        let any_size = matches!(expect, Expect::Text | Expect::Items(_) | Expect::Array);
        let whole = any_size || self.value_bytes == self.values * value_bytes;
        (right && whole && !self.failed).then_some(self.values)
    }
}

impl Replies {
    pub fn new(protocol: Protocol) -> Self {
        Self { protocol, line: Vec::new(), skip: 0, open: 0, current: Reply::default() }
    }

    /// Puts the broken line of the last read in front of the next one; returns its length.
    pub fn restore(&mut self, buffer: &mut [u8]) -> usize {
        let carried = self.line.len();
        buffer[..carried].copy_from_slice(&self.line);
        self.line.clear();
        carried
    }

    /// Keeps a broken line until more of it comes.
    pub fn keep(&mut self, rest: &[u8]) -> Result<(), String> {
        if rest.len() > LINE_BYTES_MAX {
            return Err("a line of a reply is too long".to_owned());
        }
        self.line.extend_from_slice(rest);
        Ok(())
    }

    /// Calls `on_reply` for each reply that ends in `bytes`, with its last header line.
    pub fn each(
        &mut self,
        bytes: &[u8],
        mut on_reply: impl FnMut(&Reply, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut at = 0;
        let mut header: &[u8] = b"";
        loop {
            let skipped = self.skip.min(bytes.len() - at);
            at += skipped;
            self.skip -= skipped;
            if self.skip > 0 {
                return Ok(());
            }
            if self.open == 0 && self.current.sign != 0 {
                on_reply(&std::mem::take(&mut self.current), header)?;
            }
            let Some(len) = bytes[at..].iter().position(|byte| *byte == b'\n') else {
                return self.keep(&bytes[at..]);
            };
            header = bytes[at..at + len].strip_suffix(b"\r").ok_or("a line without \\r\\n")?;
            at += len + 1;
            let understood = match self.protocol {
                Protocol::Resp => self.resp_line(header),
                Protocol::Memcache => self.memcache_line(header),
            };
            understood.ok_or_else(|| unknown(header))?;
        }
    }

    fn resp_line(&mut self, line: &[u8]) -> Option<()> {
        let (sign, rest) = line.split_first()?;
        if self.open == 0 {
            self.open = 1;
            self.current.sign = *sign;
        }
        self.open -= 1;
        match sign {
            b':' => self.current.number = number(rest),
            b'+' | b'_' | b',' | b'#' => {}
            b'-' => self.current.failed = true,
            b'$' | b'*' if rest == b"-1" => {}
            b'$' => self.value(number(rest)?)?,
            b'*' => {
                let items = number(rest)?;
                self.current.items = self.current.items.or(Some(items));
                self.open = self.open.checked_add(items)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn memcache_line(&mut self, line: &[u8]) -> Option<()> {
        let mut words = line.split(|byte| *byte == b' ');
        (self.open, self.current.sign) = match words.next()? {
            b"STORED" | b"VERSION" => (0, b'+'),
            b"END" => (0, b'$'),
            b"ERROR" | b"CLIENT_ERROR" | b"SERVER_ERROR" => {
                self.current.failed = true;
                (0, b'-')
            }
            b"VALUE" => {
                self.value(number(words.nth(2)?)?)?;
                (1, b'$')
            }
            _ => return None,
        };
        Some(())
    }

    fn value(&mut self, len: usize) -> Option<()> {
        self.current.values += 1;
        self.current.value_bytes = self.current.value_bytes.checked_add(len)?;
        self.skip = len.checked_add(2)?;
        Some(())
    }
}

fn unknown(line: &[u8]) -> String {
    let start = &line[..line.len().min(80)];
    format!("a reply that is none: {}", String::from_utf8_lossy(start))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `stream` in pieces of every size; what comes out must not depend on the cut.
    fn replies(protocol: Protocol, stream: &[u8]) -> Vec<Reply> {
        let mut outcomes = (1..=stream.len()).map(|piece| {
            let mut replies = Replies::new(protocol);
            let mut buffer = vec![0; LINE_BYTES_MAX + piece];
            let mut seen = Vec::new();
            for part in stream.chunks(piece) {
                let carried = replies.restore(&mut buffer);
                buffer[carried..carried + part.len()].copy_from_slice(part);
                let collect = |reply: &Reply, _: &[u8]| {
                    seen.push(*reply);
                    Ok(())
                };
                replies.each(&buffer[..carried + part.len()], collect).unwrap();
            }
            seen
        });
        let first = outcomes.next().unwrap();
        assert!(outcomes.all(|other| other == first));
        first
    }

    #[test]
    fn resp() {
        let stream = b"+OK\r\n$3\r\nabc\r\n$-1\r\n:7\r\n*2\r\n$3\r\n\r\nx\r\n$-1\r\n\
            -ERR no\r\n*0\r\n$0\r\n\r\n";
        let seen = replies(Protocol::Resp, stream);
        assert_eq!(seen.len(), 8);
        assert_eq!(seen[0].hits(Expect::Done, 3), Some(0));
        assert_eq!(seen[1].hits(Expect::Value, 3), Some(1));
        assert_eq!(seen[1].hits(Expect::Value, 4), None);
        assert_eq!(seen[2].hits(Expect::Value, 3), Some(0));
        assert_eq!(seen[3].hits(Expect::Integer, 3), Some(0));
        assert_eq!(seen[3].hits(Expect::Number(7), 3), Some(0));
        assert_eq!(seen[3].hits(Expect::Number(1), 3), None);
        assert_eq!(seen[1].hits(Expect::Text, 4), Some(1));
        assert_eq!(seen[4].hits(Expect::Items(2), 4), Some(1));
        assert_eq!(seen[4].hits(Expect::Items(1), 4), None);
        assert_eq!(seen[4].hits(Expect::Array, 4), Some(1));
        assert_eq!(seen[3].hits(Expect::Array, 4), None);
        assert_eq!(seen[4].hits(Expect::Values(2), 3), Some(1));
        assert_eq!(seen[4].hits(Expect::Values(3), 3), None);
        assert!(seen[5].failed() && seen[5].hits(Expect::Done, 3).is_none());
        assert_eq!(seen[6].hits(Expect::Values(0), 3), Some(0));
        assert_eq!(seen[7].hits(Expect::Value, 0), Some(1));
    }

    #[test]
    fn memcache() {
        let stream = b"STORED\r\nVALUE k 0 3\r\nabc\r\nEND\r\nEND\r\n\
            VALUE k 0 3\r\n\r\nE\r\nVALUE j 0 3\r\nabc\r\nEND\r\nERROR\r\n";
        let seen = replies(Protocol::Memcache, stream);
        assert_eq!(seen.len(), 5);
        assert_eq!(seen[0].hits(Expect::Done, 3), Some(0));
        assert_eq!(seen[1].hits(Expect::Value, 3), Some(1));
        assert_eq!(seen[2].hits(Expect::Value, 3), Some(0));
        assert_eq!(seen[3].hits(Expect::Values(10), 3), Some(2));
        assert!(seen[4].failed());
    }

    #[test]
    fn nonsense_is_refused() {
        for stream in [&b"hello\r\n"[..], b"\r\n", b"+OK\n", b"$x\r\n", b"*-2\r\n"] {
            let mut replies = Replies::new(Protocol::Resp);
            assert!(replies.each(stream, |_, _| Ok(())).is_err(), "{stream:?}");
        }
    }
}
