//! Replies on their way to a client: bytes, and between them values that are not copied and replies
//! that are made only while they are sent.

use std::fmt;
use std::ops::Deref;

use memory::Blob;

/// A value of so many bytes goes into the output by reference. Below, copying costs less than what
/// a reference costs when it is sent: an entry of the vector that the system call is given.
pub const BY_REFERENCE_MIN: usize = 32 * 1024;

/// Replies in the order in which they are to be sent.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    blobs: Blobs,
}

/// Replies that are made while they are sent, so that any number of them needs little memory.
pub trait Source: Send {
    /// Appends some replies, about [`SOURCE_SLICE`] bytes. Returns whether more follow.
    fn fill(&mut self, to: &mut Vec<u8>) -> bool;
}

/// Bytes that a [`Source`] makes at a time.
pub const SOURCE_SLICE: usize = 64 * 1024;

/// What is not among the bytes, each with the number of bytes that go before it.
#[derive(Debug, Default)]
pub struct Blobs {
    places: Vec<(usize, Other)>,
    len: usize,
}

/// Something that is not among the bytes.
pub(crate) enum Other {
    /// A value by reference.
    Blob(Blob),
    /// Replies that are made while they are sent.
    Source(Box<dyn Source>),
}

impl Other {
    /// Bytes that are known to be sent.
    fn len(&self) -> usize {
        match self {
            Self::Blob(blob) => blob.len(),
            Self::Source(_) => 0,
        }
    }
}

impl fmt::Debug for Other {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(blob) => blob.fmt(formatter),
            Self::Source(_) => formatter.write_str("Source"),
        }
    }
}

/// A piece of an output.
pub enum Piece {
    /// Bytes of its own.
    Bytes(Vec<u8>),
    /// A value that others may hold too.
    Blob(Blob),
    /// Replies that are made while they are sent.
    Source(Box<dyn Source>),
}

impl Output {
    /// The length of all replies. (That of the bytes alone is a mark for [`Self::truncate`].)
    #[inline]
    pub fn total(&self) -> usize {
        self.bytes.len().saturating_add(self.blobs.len)
    }

    /// The length of what was written after the first `mark` bytes.
    #[inline]
    pub fn total_from(&self, mark: usize) -> usize {
        let bytes = self.bytes.len().saturating_sub(mark);
        if self.blobs.len == 0 { bytes } else { bytes.saturating_add(self.blobs.len_from(mark)) }
    }

    /// Takes back what was written after the first `mark` bytes.
    pub fn truncate(&mut self, mark: usize) {
        self.bytes.truncate(mark);
        self.blobs.truncate(mark);
    }

    /// All of it in one piece, if no value is in it by reference.
    #[inline]
    pub fn plain(&self) -> Option<&[u8]> {
        self.blobs.places.is_empty().then_some(&self.bytes)
    }

    /// Forgets all, and keeps no more than `capacity_max` bytes of memory for what comes next.
    #[inline]
    pub fn clear(&mut self, capacity_max: usize) {
        self.bytes.clear();
        if self.bytes.capacity() > capacity_max {
            self.bytes = Vec::new();
        }
        self.blobs.places.clear();
        self.blobs.len = 0;
    }

    /// Takes all pieces out. Bytes that are all in one piece are moved, not copied.
    pub fn take_pieces(&mut self, mut piece: impl FnMut(Piece)) {
        let bytes = std::mem::take(&mut self.bytes);
        let blobs = std::mem::take(&mut self.blobs);
        if blobs.places.is_empty() {
            piece(Piece::Bytes(bytes));
            return;
        }
        let mut from = 0;
        for (at, other) in blobs.places {
            piece(Piece::Bytes(bytes.get(from..at).unwrap_or_default().to_vec()));
            piece(match other {
                Other::Blob(blob) => Piece::Blob(blob),
                Other::Source(source) => Piece::Source(source),
            });
            from = at;
        }
        piece(Piece::Bytes(bytes.get(from..).unwrap_or_default().to_vec()));
    }
}

/// The bytes of the replies, without the values by reference.
impl Deref for Output {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What replies can be written to.
pub trait Sink {
    /// The bytes, and where values by reference go, if they may.
    #[doc(hidden)]
    fn parts(&mut self) -> (&mut Vec<u8>, Option<&mut Blobs>);
}

impl Sink for Vec<u8> {
    #[inline]
    fn parts(&mut self) -> (&mut Vec<u8>, Option<&mut Blobs>) {
        (self, None)
    }
}

impl Sink for Output {
    #[inline]
    fn parts(&mut self) -> (&mut Vec<u8>, Option<&mut Blobs>) {
        (&mut self.bytes, Some(&mut self.blobs))
    }
}

impl From<Vec<u8>> for Output {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, blobs: Blobs::default() }
    }
}

impl Blobs {
    pub(crate) fn push(&mut self, at: usize, other: Other) {
        self.len = self.len.saturating_add(other.len());
        self.places.push((at, other));
    }

    #[cold]
    fn len_from(&self, mark: usize) -> usize {
        let behind = self.places.iter().rev().take_while(|(at, _)| *at > mark);
        behind.fold(0, |sum, (_, other)| other.len().saturating_add(sum))
    }

    pub(crate) fn truncate(&mut self, mark: usize) {
        while let Some((_, other)) = self.places.pop_if(|(at, _)| *at > mark) {
            self.len = self.len.saturating_sub(other.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    fn sent(mut output: Output) -> Vec<u8> {
        let mut all = Vec::new();
        output.take_pieces(|piece| match piece {
            Piece::Bytes(bytes) => all.extend(bytes),
            Piece::Blob(blob) => all.extend_from_slice(&blob),
            Piece::Source(mut source) => while source.fill(&mut all) {},
        });
        all
    }

    #[test]
    fn values_by_reference_stand_where_they_belong() {
        let value = Blob::new(vec![b'v'; 5]);
        let mut output = Output::default();
        let mut reply = Reply::new(&mut output, false);
        reply.ok();
        reply.bulk_blob(value.clone());
        let mark = reply.len();
        reply.bulk_blob(value.clone());
        reply.truncate(mark);
        reply.bulk_blob(value.slice(1..3));
        reply.integer(1);
        assert_eq!((output.total(), output.total_from(5), output.total_from(mark)), (28, 23, 12));
        assert_eq!(output.plain(), None);
        assert_eq!(sent(output), b"+OK\r\n$5\r\nvvvvv\r\n$2\r\nvv\r\n:1\r\n");
    }

    /// So many digits, two at a time.
    struct Digits(u8);

    impl Source for Digits {
        fn fill(&mut self, to: &mut Vec<u8>) -> bool {
            let some = self.0.min(2);
            to.extend((0..some).map(|_| b'0' + self.0));
            self.0 -= some;
            self.0 > 0
        }
    }

    #[test]
    fn replies_that_are_made_later_stand_where_they_belong() {
        let write = |reply: &mut Reply<'_>| {
            reply.integer(1);
            reply.source(Box::new(Digits(5)));
            reply.integer(2);
        };
        let (mut output, mut bytes) = (Output::default(), Vec::new());
        write(&mut Reply::new(&mut output, false));
        write(&mut Reply::new(&mut bytes, false));
        assert_eq!(bytes, b":1\r\n55331:2\r\n");
        assert_eq!((output.total(), sent(output)), (8, bytes));
    }

    #[test]
    fn what_was_taken_back_is_not_sent() {
        let mut output = Output::default();
        Reply::new(&mut output, false).ok();
        let mark = output.len();
        Reply::new(&mut output, false).bulk_blob(Blob::new(vec![1; 9]));
        output.truncate(mark);
        assert_eq!((output.total(), output.plain()), (5, Some(&b"+OK\r\n"[..])));
    }
}
