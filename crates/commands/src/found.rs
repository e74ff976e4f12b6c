//! Replies whose number is known only when the last one is: keys of a walk, members of a result.
//!
//! They are encoded at once, while what they show is in the cache, and sent as they are when the
//! header that counts them has been written.

use protocol::reply::Reply;
use values::Value;

use crate::context::reply_value;

/// Bytes of a chunk of a long reply.
const CHUNK: usize = 256 * 1024;

/// Strings found, as encoded replies. They are the same in RESP2 and RESP3.
#[derive(Default)]
pub(crate) struct Found {
    /// Full chunks, which are sent as they are: one growing vector would be copied again and again.
    chunks: Vec<Vec<u8>>,
    encoded: Vec<u8>,
    count: usize,
}

impl Found {
    /// Adds a string.
    #[inline]
    pub(crate) fn push(&mut self, value: Value<'_>) {
        self.count = self.count.saturating_add(1);
        reply_value(&mut Reply::new(&mut self.encoded, false), value);
        if self.encoded.len() >= CHUNK {
            let room = Vec::with_capacity(CHUNK.saturating_add(CHUNK / 16));
            self.chunks.push(std::mem::replace(&mut self.encoded, room));
        }
    }

    /// Replies with the cursor that leads on, and an array of all.
    pub(crate) fn page(self, reply: &mut Reply<'_>, cursor: u64) {
        reply.array(2);
        reply.bulk_integer(cursor.cast_signed());
        self.show(reply);
    }

    /// Replies with an array of all.
    pub(crate) fn show(self, reply: &mut Reply<'_>) {
        reply.array(self.count);
        self.write(reply);
    }

    /// Replies with a set of all.
    pub(crate) fn show_set(self, reply: &mut Reply<'_>) {
        reply.set(self.count);
        self.write(reply);
    }

    fn write(self, reply: &mut Reply<'_>) {
        self.chunks.into_iter().for_each(|chunk| reply.encoded_chunk(chunk));
        reply.encoded(&self.encoded);
    }
}
