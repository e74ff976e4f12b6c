//! Counting RESP requests without keeping them.
//!
//! A request is an array of bulk strings. Only its headers (`*3`, `$16`) are looked at; contents
//! are skipped by their length, also when they span many reads. What must survive from one read to
//! the next is therefore two numbers and at most one broken header line.
//!
//!     *3\r\n  $3\r\n SET\r\n  $16\r\n key…\r\n  $64\r\n value…\r\n
//!     ^ items  ^ skip 3+2     ^ skip 16+2       ^ skip 64+2, and the request is complete
//!
//! Inline commands are refused: a benchmark does not send them.

/// The shortest request: one empty word.
pub const REQUEST_BYTES_MIN: usize = b"*1\r\n$0\r\n\r\n".len();

/// The longest header line that is a number: one sign byte, 20 digits, the line end.
pub const HEADER_BYTES_MAX: usize = 23;

/// The place in the stream of requests where the last read ended.
#[derive(Default)]
pub struct Requests {
    /// Bulk strings of the current request whose header has not come yet.
    items_left: usize,
    /// Bytes of content, with their line end, that are still to come.
    skip: usize,
    carry: [u8; HEADER_BYTES_MAX],
    carry_len: usize,
}

impl Requests {
    /// Puts the broken header of the last read in front of the next one; returns its length.
    pub fn restore(&mut self, buffer: &mut [u8]) -> usize {
        let carried = std::mem::take(&mut self.carry_len);
        buffer[..carried].copy_from_slice(&self.carry[..carried]);
        carried
    }

    /// Keeps a broken header line until more of it comes.
    pub fn keep(&mut self, rest: &[u8]) {
        self.carry[..rest.len()].copy_from_slice(rest);
        self.carry_len = rest.len();
    }

    /// How many requests end in `bytes`, or nothing if these are no requests.
    pub fn count(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut complete = 0;
        let mut at = 0;
        loop {
            let skipped = self.skip.min(bytes.len() - at);
            at += skipped;
            self.skip -= skipped;
            if self.skip > 0 {
                return Some(complete);
            }
            // Content is consumed: the request is complete when no item is left to come.
            if skipped > 0 && self.items_left == 0 {
                complete += 1;
            }
            let sign = if self.items_left == 0 { b'*' } else { b'$' };
            match header(&bytes[at..], sign)? {
                Header::Broken => {
                    self.keep(&bytes[at..]);
                    return Some(complete);
                }
                Header::Whole { number, len } => {
                    at += len;
                    if sign == b'*' {
                        self.items_left = (number > 0).then_some(number)?;
                    } else {
                        self.items_left -= 1;
                        self.skip = number.checked_add(2)?;
                    }
                }
            }
        }
    }
}

enum Header {
    Whole { number: usize, len: usize },
    Broken,
}

/// Reads one line `<sign><number>\r\n`; nothing if it is something else.
fn header(bytes: &[u8], sign: u8) -> Option<Header> {
    match bytes.first() {
        None => return Some(Header::Broken),
        Some(first) if *first != sign => return None,
        Some(_) => {}
    }
    let mut number = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'0'..=b'9' => {
                number = number.checked_mul(10)?.checked_add(usize::from(byte - b'0'))?;
            }
            b'\r' if at > 1 => {
                return match bytes.get(at + 1) {
                    None => Some(Header::Broken),
                    Some(b'\n') => Some(Header::Whole { number, len: at + 2 }),
                    Some(_) => None,
                };
            }
            _ => return None,
        }
        if at + 2 >= HEADER_BYTES_MAX {
            return None;
        }
    }
    Some(Header::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\n$1\r\n*1\r\n\r\n\r\n\r\n\
        *1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n";

    fn count_in_pieces(stream: &[u8], piece: usize) -> Option<usize> {
        let mut requests = Requests::default();
        let mut buffer = vec![0; HEADER_BYTES_MAX + piece];
        let mut total = 0;
        for part in stream.chunks(piece) {
            let carried = requests.restore(&mut buffer);
            buffer[carried..carried + part.len()].copy_from_slice(part);
            total += requests.count(&buffer[..carried + part.len()])?;
        }
        Some(total)
    }

    #[test]
    fn counts_whatever_the_cut() {
        for piece in 1..=STREAM.len() {
            assert_eq!(count_in_pieces(STREAM, piece), Some(3), "pieces of {piece}");
        }
    }

    #[test]
    fn refuses_what_is_no_request() {
        for bytes in [&b"PING\r\n"[..], b"*0\r\n", b"*x\r\n", b"*\r\n", b"*1\r\n+a\r\n", b"*1\rx"] {
            assert_eq!(Requests::default().count(bytes), None, "{bytes:?}");
        }
        assert_eq!(Requests::default().count(b"*99999999999999999999999999"), None);
    }
}
