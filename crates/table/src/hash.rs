//! The hash of a key: SipHash-1-3 with a secret of the process.
//!
//! Keys come from outside and a scan shows their order, so the hash must not leak its secret and
//! nobody may be able to make keys that meet in one bucket. The first four bits are not hashed:
//! they are the low bits of the key's cluster slot, so that a slot is one contiguous range of its
//! table.

use siphasher::sip::SipHasher13;

/// Bits at the top of a hash that come from the slot.
pub const SLOT_BITS: u32 = 4;

/// The keyed hash function of a process.
#[derive(Clone, Copy)]
pub struct Hasher {
    secret: [u64; 2],
}

impl Hasher {
    /// A hasher with the given secret, of which every table of the process must use the same.
    pub fn new(secret: [u64; 2]) -> Self {
        Self { secret }
    }

    /// The hash of `key`, which belongs to cluster slot `slot`.
    #[inline]
    pub fn hash(&self, key: &[u8], slot: u16) -> u64 {
        let [first, second] = self.secret;
        SipHasher13::new_with_keys(first, second).hash(key) >> SLOT_BITS
            | u64::from(slot) << (u64::BITS - SLOT_BITS)
    }

    /// The hash of a member of a collection, which belongs to no slot.
    #[inline]
    pub fn hash_member(&self, member: &[u8]) -> u64 {
        let [first, second] = self.secret;
        SipHasher13::new_with_keys(first, second).hash(member)
    }
}
