//! Writes replies to the bytes a connection will send.
//!
//! A command states what it answers (a map, a double, nothing) and [`Reply`] knows how the
//! client's protocol version says it:
//!
//! ```text
//!            RESP2            RESP3
//! null       $-1              _
//! null array *-1              _
//! map of 2   *4               %2
//! set of 2   *2               ~2
//! double     $3 0.5           ,0.5
//! boolean    :1               #t
//! verbatim   $4 text          =8 txt:text
//! push of 3  *3               >3
//! ```
//!
//! Invariant: replies are only appended; what was in the vector before stays, and `truncate` can
//! only take back what this writer has written. Counting elements is the command's business: an
//! array header of `n` must be followed by `n` replies.

use memory::Blob;

use crate::error::ProtocolError;
use crate::number::write_f64;
use crate::output::{Blobs, Other, Sink, Source};

const LINE_END: &[u8; 2] = b"\r\n";
/// More than any header line needs: marker, 20 digits, CRLF, and the CRLF behind a bulk.
const HEADER_LEN_MAX: usize = 32;

/// What [`Reply::counted`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// An array.
    Array,
    /// A map, whose items are pairs.
    Map,
}

/// An array or a map that has begun.
#[derive(Debug)]
#[must_use]
pub struct Open {
    items: Counted,
    expected: usize,
    /// Where its header begins.
    start: usize,
    /// Where its items begin.
    body: usize,
}

/// A writer of replies in one protocol version.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    /// Where values by reference go, if they may.
    blobs: Option<&'a mut Blobs>,
    start: usize,
    resp3: bool,
}

impl<'a> Reply<'a> {
    /// A writer that appends to bytes, or to an output, where large values go by reference.
    #[inline]
    pub fn new(sink: &'a mut impl Sink, resp3: bool) -> Self {
        let (out, blobs) = sink.parts();
        let start = out.len();
        Self { out, blobs, start, resp3 }
    }

    /// Whether the client speaks RESP3.
    #[inline]
    pub fn is_resp3(&self) -> bool {
        self.resp3
    }

    /// Speaks RESP3 from here on, or RESP2.
    pub fn speak(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// The bytes of the output so far, a mark for [`Self::truncate`].
    #[inline]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether this writer has written nothing yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.out.len() == self.start
    }

    /// Takes back what was written after the mark `len`.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        debug_assert!(len >= self.start, "a writer takes back only its own replies");
        let mark = len.max(self.start);
        self.out.truncate(mark);
        if let Some(blobs) = &mut self.blobs {
            blobs.truncate(mark);
        }
    }

    /// The status `OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A status; line ends in it become spaces.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error, its code included and `-` not; line ends in it become spaces.
    #[cold]
    pub fn error(&mut self, text: &str) {
        self.line(b'-', text.as_bytes());
    }

    /// An error whose text repeats bytes of the client, which need not be UTF-8. Line ends behind
    /// it are cut off, as Redis does; those within become spaces as in any line.
    #[cold]
    pub fn error_bytes(&mut self, text: &[u8]) {
        let mut kept = text;
        while let [rest @ .., b'\r' | b'\n'] = kept {
            kept = rest;
        }
        self.line(b'-', kept);
    }

    /// The error after which the connection closes.
    #[cold]
    pub fn protocol_error(&mut self, error: ProtocolError) {
        let mut text = b"ERR ".to_vec();
        error.write_to(&mut text);
        self.line(b'-', &text);
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.header_signed(b':', value);
    }

    /// An integer that counts something.
    #[inline]
    pub fn count(&mut self, count: usize) {
        self.header(b':', count);
    }

    /// A string of bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len().saturating_add(HEADER_LEN_MAX));
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(LINE_END);
    }

    /// A string of bytes by reference. For small ones, a copy costs less.
    #[cold]
    pub fn bulk_blob(&mut self, blob: Blob) {
        let Some(blobs) = &mut self.blobs else { return self.bulk(&blob) };
        // The header lies before the blob and the line end behind it, so a mark is never between.
        self.out.push(b'$');
        self.out.extend_from_slice(itoa::Buffer::new().format(blob.len()).as_bytes());
        self.out.extend_from_slice(LINE_END);
        blobs.push(self.out.len(), Other::Blob(blob));
        self.out.extend_from_slice(LINE_END);
    }

    /// Replies that another writer has encoded.
    pub fn encoded(&mut self, replies: &[u8]) {
        self.out.extend_from_slice(replies);
    }

    /// The same for many bytes, which are not copied. Something must have been written before.
    #[cold]
    pub fn encoded_chunk(&mut self, replies: Vec<u8>) {
        match &mut self.blobs {
            Some(blobs) => blobs.push(self.out.len(), Other::Blob(Blob::new(replies))),
            None => self.out.extend_from_slice(&replies),
        }
    }

    /// Replies that are made while they are sent. Something must have been written before.
    #[cold]
    pub fn source(&mut self, mut source: Box<dyn Source>) {
        match &mut self.blobs {
            Some(blobs) => blobs.push(self.out.len(), Other::Source(source)),
            None => while source.fill(self.out) {},
        }
    }

    /// An integer as a string, without a detour over the heap.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No value where a client of RESP2 expects an array.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// An array; `len` replies follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// A map; `pairs` times a key and a value follow.
    pub fn map(&mut self, pairs: usize) {
        if self.resp3 {
            self.header(b'%', pairs);
        } else {
            self.header(b'*', pairs.saturating_mul(2));
        }
    }

    /// An array, or a map, of as many items as `write` writes: it returns how many. If it fails,
    /// nothing is written. The closer `expected` is, the less has to be moved. Items are written
    /// into the output itself, none by reference.
    pub fn counted<E>(
        &mut self,
        items: Counted,
        expected: usize,
        write: impl FnOnce(&mut Self) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let open = self.open(items, expected);
        match write(self) {
            Ok(len) => {
                self.close(open, len);
                Ok(len)
            }
            Err(error) => {
                self.cancel(open);
                Err(error)
            }
        }
    }

    /// Begins an array, or a map, whose length [`Self::close`] tells; see [`Self::counted`].
    pub fn open(&mut self, items: Counted, expected: usize) -> Open {
        let start = self.len();
        self.header_of(items, expected);
        Open { items, expected, start, body: self.len() }
    }

    /// Ends what was begun.
    pub fn close(&mut self, open: Open, len: usize) {
        if len != open.expected {
            let end = self.len();
            self.header_of(open.items, len);
            let mut header = [0; HEADER_LEN_MAX];
            let written = self.out.get(end..).unwrap_or_default();
            let room = header.iter_mut().zip(written).map(|(room, byte)| *room = *byte).count();
            self.out.truncate(end);
            self.out.splice(open.start..open.body, header.into_iter().take(room));
        }
    }

    /// Takes back what was begun, with all that was written since.
    pub fn cancel(&mut self, open: Open) {
        self.truncate(open.start);
    }

    fn header_of(&mut self, items: Counted, len: usize) {
        match items {
            Counted::Array => self.array(len),
            Counted::Map => self.map(len),
        }
    }

    /// A set; `len` replies follow.
    pub fn set(&mut self, len: usize) {
        self.header(if self.resp3 { b'~' } else { b'*' }, len);
    }

    /// A message nobody asked for (pub/sub, invalidation); `len` replies follow.
    pub fn push(&mut self, len: usize) {
        self.header(if self.resp3 { b'>' } else { b'*' }, len);
    }

    /// A float.
    pub fn double(&mut self, value: f64) {
        if self.resp3 {
            self.out.push(b',');
            write_f64(self.out, value);
            self.out.extend_from_slice(LINE_END);
            return;
        }
        // The text is below 100 bytes: one digit of its length is patched, a second inserted,
        // which moves these few bytes and saves a buffer.
        let ones_at = self.out.len().saturating_add(1);
        self.out.extend_from_slice(b"$0\r\n");
        let body = self.out.len();
        write_f64(self.out, value);
        let len = u16::try_from(self.out.len().saturating_sub(body)).unwrap_or(u16::MAX);
        debug_assert!(len < 100, "a float has at most 26 characters");
        if let Some(ones) = self.out.get_mut(ones_at) {
            *ones = digit(len % 10);
        }
        if len >= 10 {
            self.out.insert(ones_at, digit(len / 10));
        }
        self.out.extend_from_slice(LINE_END);
    }

    /// A float whose digits the caller has chosen.
    pub fn double_text(&mut self, text: &[u8]) {
        if !self.resp3 {
            self.bulk(text);
            return;
        }
        self.out.push(b',');
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(LINE_END);
    }

    /// True or false.
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.resp3, value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// Text for people in a format of three letters (`txt`, `mkd`).
    pub fn verbatim(&mut self, format: &str, bytes: &[u8]) {
        debug_assert_eq!(format.len(), 3, "the protocol has room for three letters");
        if !self.resp3 {
            self.bulk(bytes);
            return;
        }
        self.header(b'=', bytes.len().saturating_add(format.len()).saturating_add(1));
        self.out.extend_from_slice(format.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(LINE_END);
    }

    /// A line of text, in which a line end would let a client forge a second reply.
    fn line(&mut self, marker: u8, text: &[u8]) {
        self.out.reserve(text.len().saturating_add(HEADER_LEN_MAX));
        self.out.push(marker);
        let no_line_ends = |&byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte };
        self.out.extend(text.iter().map(no_line_ends));
        self.out.extend_from_slice(LINE_END);
    }

    /// A marker and a count; up to three digits, the common case, are written in place.
    #[inline]
    fn header(&mut self, marker: u8, count: usize) {
        let Some(small) = u16::try_from(count).ok().filter(|&count| count < 1000) else {
            return self.long_header(marker, count);
        };
        let (hundreds, tens, ones) =
            (digit(small / 100), digit(small / 10 % 10), digit(small % 10));
        if small < 10 {
            self.out.extend_from_slice(&[marker, ones, b'\r', b'\n']);
        } else if small < 100 {
            self.out.extend_from_slice(&[marker, tens, ones, b'\r', b'\n']);
        } else {
            self.out.extend_from_slice(&[marker, hundreds, tens, ones, b'\r', b'\n']);
        }
    }

    #[inline(never)]
    fn long_header(&mut self, marker: u8, count: usize) {
        self.out.push(marker);
        self.out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
        self.out.extend_from_slice(LINE_END);
    }

    #[inline]
    fn header_signed(&mut self, marker: u8, value: i64) {
        match usize::try_from(value) {
            Ok(count) => self.header(marker, count),
            Err(_) => {
                self.out.push(marker);
                self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
                self.out.extend_from_slice(LINE_END);
            }
        }
    }
}

/// The character of a digit; `value` is below 10.
#[inline(always)]
fn digit(value: u16) -> u8 {
    value.to_le_bytes()[0].wrapping_add(b'0')
}

#[cfg(test)]
mod tests;
