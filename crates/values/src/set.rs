//! A set: members in a table, one block for each.
//!
//! ```text
//! Table ──> bucket (64 bytes): 7 slots ──> | head 1 | member | expiry 6, if it has one |
//! ```
//!
//! A member of 16 bytes takes a block of 24, and some 13 bytes of the table.

use crate::block::{Block, Expiring, Plain};
use crate::members::{Expiry, Members};

/// A member of a set, in its block.
pub type Member = Block<Plain>;
/// A set of byte strings, each of which may expire.
pub type Set = Members<Plain>;

impl Set {
    /// Whether the member is in the set.
    #[inline]
    pub fn contains(&self, member: &[u8], now_ms: u64) -> bool {
        self.get(member, now_ms).is_some()
    }

    /// Adds a member that is not there yet, and does not expire.
    #[inline]
    pub(crate) fn add_new(&mut self, member: &[u8]) {
        self.insert(Member::of_member(member, None));
    }

    /// Adds a member, or gives the one that is there another expiry. Returns whether it is new.
    #[inline]
    pub fn add(&mut self, member: &[u8], expiry: Expiry, now_ms: u64) -> bool {
        let hash = self.hasher().hash_member(member);
        let Some(mut found) = self.find_mut_hashed(hash, member) else {
            self.insert_hashed(hash, Member::of_member(member, expiry.after(None)));
            return true;
        };
        let was = found.block().expires_at();
        let is_new = found.block().is_expired(now_ms);
        let at = expiry.after(if is_new { None } else { was });
        if at != was {
            found.change(|block| Plain::set_expiry(block, at));
        }
        is_new
    }
}

#[cfg(test)]
mod tests;
