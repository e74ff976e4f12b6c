//! Active expiry: removing keys whose time has come although nobody asks for them.
//!
//! A bucket knows the earliest tick at which one of its items expires, a segment that of its
//! buckets, a table that of its segments. So a sweep looks at one number of a shard to know that
//! there is nothing to do, and otherwise walks only where something is due. A collection is due
//! when its first member is. A sweep handles at most [`SLICE`] keys while it has a shard, and
//! passes busy shards by: the next sweep comes soon.

use crate::{Keyspace, SHARDS};

/// Keys handled in one borrowing of a shard.
const SLICE: usize = 64;
/// Borrowings of one shard in one sweep.
const SLICES_MAX: usize = 8;

/// Sweeps the shards whose numbers leave `remainder` when divided by `divisor`. Returns the number
/// of keys handled and whether more are due.
pub fn sweep(
    keyspace: &'static Keyspace,
    now_ms: u64,
    remainder: usize,
    divisor: usize,
) -> (usize, bool) {
    let (mut handled, mut more) = (0, false);
    for shard in (remainder..SHARDS).step_by(divisor) {
        for slice in 1..=SLICES_MAX {
            let Some(mut held) = keyspace.try_borrow(shard as u16) else { break };
            let count = held.expire_due(now_ms, SLICE);
            handled += count;
            if count < SLICE {
                break;
            }
            more |= slice == SLICES_MAX;
        }
    }
    (handled, more)
}
