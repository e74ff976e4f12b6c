//! What a connection keeps because the other side has not taken it yet: its output, as a queue of
//! chunks that are moved or referred to, never copied.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use memory::Blob;
use protocol::output::{Output, Piece, Source};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::net;

/// Bytes that are sent of one connection's output before others have their turn.
pub const SEND_SLICE: usize = 256 * 1024;
/// Chunks that go into one system call.
const VECTOR_MAX: usize = 64;
/// Small bytes are added to the last chunk up to this, so that many small ones are few chunks.
const JOIN_MAX: usize = 16 * 1024;
/// Memory above this is freed in the background.
const LARGE: usize = 512 * 1024;

/// Output that is to be sent.
pub struct Kept {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that were sent.
    sent: usize,
    /// Bytes to send, and one for each source that is not exhausted.
    len: usize,
    /// When the other side last took something, in milliseconds of Unix time.
    pub moved_ms: u64,
    /// Since when there is more than the soft limit, if there is.
    pub over_soft_since_ms: Option<u64>,
}

enum Chunk {
    Bytes(Vec<u8>),
    Blob(Blob),
    Common(Arc<[u8]>),
    Source(Box<dyn Source>),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Blob(blob) => blob,
            Self::Common(bytes) => bytes,
            Self::Source(_) => &[],
        }
    }

    /// Bytes of memory that would be free without this chunk, others' part taken off.
    fn memory(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.capacity(),
            Self::Blob(blob) if blob.is_shared() => 0,
            Self::Blob(blob) => blob.capacity(),
            Self::Common(bytes) => bytes.len() / Arc::strong_count(bytes),
            Self::Source(_) => 0,
        }
    }
}

impl Kept {
    /// Nothing yet.
    pub fn new(now_ms: u64) -> Self {
        let chunks = VecDeque::new();
        Self { chunks, sent: 0, len: 0, moved_ms: now_ms, over_soft_since_ms: None }
    }

    /// Bytes to send.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Pieces that they consist of.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Bytes of memory that would be free without it.
    pub fn memory(&self) -> usize {
        self.chunks.iter().map(Chunk::memory).sum()
    }

    /// Adds replies, which are moved.
    pub fn add(&mut self, output: &mut Output) {
        output.take_pieces(|piece| match piece {
            Piece::Bytes(bytes) => self.add_bytes(bytes),
            Piece::Blob(blob) => {
                self.len += blob.len();
                self.chunks.push_back(Chunk::Blob(blob));
            }
            Piece::Source(source) => {
                self.len += 1;
                self.chunks.push_back(Chunk::Source(source));
            }
        });
    }

    /// Adds bytes.
    pub fn add_bytes(&mut self, bytes: Vec<u8>) {
        self.len += bytes.len();
        match self.chunks.back_mut() {
            _ if bytes.is_empty() => {}
            Some(Chunk::Bytes(last)) if last.len() + bytes.len() <= JOIN_MAX => {
                last.extend_from_slice(&bytes);
            }
            _ => self.chunks.push_back(Chunk::Bytes(bytes)),
        }
    }

    /// Adds bytes that others send too.
    pub fn add_common(&mut self, bytes: Arc<[u8]>) {
        self.len += bytes.len();
        match self.chunks.back_mut() {
            _ if bytes.is_empty() => {}
            Some(Chunk::Bytes(last)) if last.len() + bytes.len() <= JOIN_MAX => {
                last.extend_from_slice(&bytes);
            }
            _ if bytes.len() < JOIN_MAX / 16 => {
                self.chunks.push_back(Chunk::Bytes(bytes.to_vec()));
            }
            _ => self.chunks.push_back(Chunk::Common(bytes)),
        }
    }

    /// Lets a source that comes first make its next bytes.
    fn draw(&mut self) {
        while let Some(Chunk::Source(source)) = self.chunks.front_mut() {
            let mut bytes = Vec::new();
            if !source.fill(&mut bytes) {
                self.len -= 1;
                self.chunks.pop_front();
            }
            if !bytes.is_empty() {
                self.len += bytes.len();
                self.chunks.push_front(Chunk::Bytes(bytes));
            }
        }
    }

    /// Sends a slice. Returns the bytes sent and whether the socket may take more.
    pub fn send(&mut self, socket: &OwnedFd) -> Result<(usize, bool), Errno> {
        let mut sent = 0;
        while self.len > 0 && sent < SEND_SLICE {
            self.draw();
            let mut wanted = 0;
            let mut vector = Vec::with_capacity(self.chunks.len().min(VECTOR_MAX));
            let mut skip = self.sent;
            let is_there = |chunk: &&Chunk| !matches!(chunk, Chunk::Source(_));
            for chunk in self.chunks.iter().take(VECTOR_MAX).take_while(is_there) {
                let bytes = &chunk.bytes()[skip..];
                let bytes = &bytes[..bytes.len().min(SEND_SLICE - wanted)];
                (skip, wanted) = (0, wanted + bytes.len());
                vector.push(IoSlice::new(bytes));
                if wanted == SEND_SLICE {
                    break;
                }
            }
            let count = net::write_pieces(socket, &vector)?;
            self.advance(count);
            sent += count;
            if count < wanted {
                return Ok((sent, false));
            }
        }
        Ok((sent, true))
    }

    fn advance(&mut self, count: usize) {
        self.len -= count;
        self.sent += count;
        while let Some(first) = self.chunks.front() {
            let len = first.bytes().len();
            if self.sent < len || matches!(first, Chunk::Source(_)) {
                return;
            }
            self.sent -= len;
            if let Some(chunk) = self.chunks.pop_front() {
                chunk.discard();
            }
        }
    }

    /// Frees all of it, large parts in the background.
    pub fn discard(self) {
        self.chunks.into_iter().for_each(Chunk::discard);
    }
}

impl Chunk {
    fn discard(self) {
        match self {
            Self::Bytes(bytes) => discard(bytes),
            Self::Blob(blob) => discard_blob(blob),
            Self::Common(_) => {}
            Self::Source(source) => keyspace::reclaim::later(Box::new(source)),
        }
    }
}

/// Frees bytes, many in the background.
pub fn discard(bytes: Vec<u8>) {
    if bytes.capacity() > LARGE {
        keyspace::reclaim::later(Box::new(bytes));
    }
}

/// Lets go of a value; who does so last frees it, a large one in the background.
pub fn discard_blob(blob: Blob) {
    if let Some(bytes) = blob.into_sole() {
        discard(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(kept: &Kept) -> Vec<u8> {
        let mut all: Vec<u8> = kept.chunks.iter().flat_map(|c| c.bytes().to_vec()).collect();
        all.drain(..kept.sent);
        all
    }

    #[test]
    fn what_is_kept_comes_out_in_order() {
        let mut kept = Kept::new(0);
        kept.add_bytes(b"ab".to_vec());
        kept.add_bytes(b"cd".to_vec());
        assert_eq!(kept.chunks(), 1);
        let (value, before) = (Blob::new(vec![b'v'; 3]), kept.memory());
        kept.chunks.push_back(Chunk::Blob(value.clone()));
        kept.len += 3;
        assert_eq!(kept.memory(), before, "a value that others hold costs nothing");
        kept.add_common(b"e".as_slice().into());
        assert_eq!((kept.len(), taken(&kept)), (8, b"abcdvvve".to_vec()));
        kept.advance(5);
        assert_eq!((kept.len(), taken(&kept)), (3, b"vve".to_vec()));
        kept.advance(3);
        assert_eq!((kept.len(), kept.chunks()), (0, 0));
    }
}
