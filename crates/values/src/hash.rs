//! A hash: fields with their values in a table, one block for each pair.
//!
//! ```text
//! Table ──> bucket (64 bytes): 7 slots ──> | head 2 | field | value | expiry 6, if it has one |
//! ```
//!
//! A field of 16 bytes with a value of 16 takes a block of 40, and some 13 bytes of the table; an
//! expiry still fits into that block. A new value stays in the old block if it fits its class.

use crate::block::{Block, Paired};
use crate::members::{Expiry, Members};

/// A field of a hash with its value, in its block.
pub type Field = Block<Paired>;
/// A map from byte strings to byte strings, in which each field may expire.
pub type Hash = Members<Paired>;

impl Hash {
    /// Sets the value and the expiry of a field. Returns whether the field is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], expiry: Expiry, now_ms: u64) -> bool {
        let hash = self.hasher().hash_member(field);
        let Some(mut found) = self.find_mut_hashed(hash, field) else {
            self.insert_hashed(hash, Field::of_field(field, value, expiry.after(None)));
            return true;
        };
        let is_new = found.block().is_expired(now_ms);
        let was = if is_new { None } else { found.block().expires_at() };
        found.change(|block| block.set(value, expiry.after(was)));
        is_new
    }
}

#[cfg(test)]
mod tests;
