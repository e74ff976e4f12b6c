//! A hash of data that is the same in any server, ours or Redis's, that has the same data.
//!
//! Redis defines it over SHA-1: what has an order is mixed in, which hashes again each time; what
//! has none is combined by exclusive or. Expiry counts as being there or not.

use std::fmt;

use keyspace::{DATABASES, Keyspace, SHARDS};
use sha1::{Digest as _, Sha1};
use values::Entry;

/// The number by which Redis knows the type of strings.
const STRING: u32 = 0;
const HAS_EXPIRY: &[u8] = b"!!expire!!";

/// A hash of data.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Combines with bytes that have no order among others.
    fn add(&mut self, bytes: &[u8]) {
        let hash: [u8; 20] = Sha1::digest(bytes).into();
        self.0.iter_mut().zip(hash).for_each(|(own, other)| *own ^= other);
    }

    /// Combines with bytes whose place in the order counts.
    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

fn mix_value(digest: &mut Digest, entry: &Entry) {
    digest.mix(&STRING.to_be_bytes());
    if let Some(string) = entry.string() {
        string.with_bytes(|bytes| digest.mix(bytes));
    }
    if entry.expires_at().is_some() {
        digest.add(HAS_EXPIRY);
    }
}

/// The hash of a key's value and whether it expires.
pub fn of_value(entry: &Entry) -> Digest {
    let mut digest = Digest::default();
    mix_value(&mut digest, entry);
    digest
}

/// The hash of all keys and values, shard after shard.
pub fn of_all(keyspace: &'static Keyspace, now_ms: u64) -> Digest {
    let mut sum = Digest::default();
    for number in 0..DATABASES as u32 {
        let (mut keys, mut found) = (Digest::default(), false);
        for shard in 0..SHARDS {
            let mut shard = keyspace.borrow_blocking(shard as u16);
            let db = shard.db(number as u16);
            let mut next = (!db.is_empty()).then_some(0);
            while let Some(from) = next {
                next = db.scan(from, now_ms, |entry| {
                    let mut digest = Digest::default();
                    digest.mix(entry.key());
                    mix_value(&mut digest, entry);
                    keys.add(&digest.0);
                    found = true;
                });
            }
        }
        if found {
            sum.mix(&number.to_be_bytes());
            sum.0.iter_mut().zip(keys.0).for_each(|(own, other)| *own ^= other);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use values::Value;

    use super::*;

    #[test]
    fn hashes_are_those_of_redis() {
        let digest = |value, expires_at| of_value(&Entry::new(b"k", value, expires_at)).to_string();
        assert_eq!(digest(Value::Int(1), None), "b4fc66738120fba0b5aa500ab5c2bf89cea1c5da");
        let hello = Value::Bytes(b"hello");
        assert_eq!(digest(hello, Some(1)), "d037c4eb8a8b36b602fbced4000daeab0714c1e3");
        assert_eq!(Digest::default().to_string(), "0".repeat(40));
    }
}
