//! The walk through a database, shard after shard, bucket after bucket, in the order of hashes.
//!
//! ```text
//! cursor:  52 ─── 43  42 ──────────────── 0
//!          shard      position, high 43 bits
//! ```
//!
//! A position says which hashes come next, not where they lie, so a table may grow and shrink
//! between two steps: what was there all the time is visited. The cursor stays below 2^53, which
//! every client can keep, even one whose only numbers are doubles.
//!
//! Invariant: a walk stops, or lets go of a shard, only where a cursor can say where it stopped.
//! The low 21 bits of a position are zero until a table has 2^25 segments; beyond that, a walk
//! goes on to the next such position.

use keyspace::{Db, SHARDS};

use crate::{Context, Outcome};

/// Bits of a position that a cursor keeps.
const KEPT_BITS: u32 = 43;
/// Bits of a position that a cursor does not keep.
const LOST_BITS: u32 = u64::BITS - KEPT_BITS;
/// Shards, as their numbers are counted.
#[expect(clippy::cast_possible_truncation, reason = "a key's shard is a few bits of its slot")]
pub(super) const SHARD_COUNT: u16 = SHARDS as u16;
/// Buckets visited in one borrowing of a shard: some 300 keys.
const SLICE: usize = 64;

/// Where a walk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    shard: u16,
    hash: u64,
}

impl Position {
    /// Before the first key.
    pub(super) const START: Self = Self { shard: 0, hash: 0 };
    /// Behind the last key.
    const END: Self = Self { shard: SHARD_COUNT, hash: 0 };

    /// Before the first key of a shard.
    pub(super) const fn of_shard(shard: u16) -> Self {
        Self { shard, hash: 0 }
    }

    /// Where a cursor says that the walk goes on; a cursor that we never gave leads to the end.
    pub(super) fn of_cursor(cursor: u64) -> Self {
        match u16::try_from(cursor >> KEPT_BITS) {
            Ok(shard) if shard < Self::END.shard => Self { shard, hash: cursor << LOST_BITS },
            _ => Self::END,
        }
    }

    /// The same in the only table of a walk.
    pub(super) fn in_table(cursor: u64) -> Self {
        let position = Self::of_cursor(cursor);
        if position.shard == 0 { position } else { Self::END }
    }

    /// The cursor that leads back here; 0 at the end.
    pub(super) fn cursor(self) -> u64 {
        debug_assert!(self.has_cursor(), "{self:?} between two cursors");
        if self.is_end() { 0 } else { u64::from(self.shard) << KEPT_BITS | self.hash >> LOST_BITS }
    }

    /// Whether no key comes any more.
    pub(super) fn is_end(self) -> bool {
        self == Self::END
    }

    /// Whether a cursor can say this position.
    fn has_cursor(self) -> bool {
        self.hash << KEPT_BITS == 0
    }

    /// Goes on in the same shard, or to the next shard.
    fn advance(&mut self, next: Option<u64>) {
        *self = match next {
            Some(hash) => Self { hash, ..*self },
            None => Self::of_shard(self.shard.saturating_add(1)),
        };
    }
}

/// Walks on from `position` until the end, or until `visit` has enough.
///
/// `visit` gets the shard's part of the client's database and a position there; it visits what
/// [`Db::scan`] does and returns what that returned, and whether it has enough. A shard is given
/// back every few buckets, so that its other users wait little.
///
/// Where a shard is busy and the command may not wait, the walk fails, and `position` says how far
/// it has come.
pub(super) fn walk(
    ctx: &mut Context<'_>,
    position: &mut Position,
    mut visit: impl FnMut(&mut Db, u64) -> (Option<u64>, bool),
) -> Outcome {
    let number = ctx.db;
    while !position.is_end() {
        let mut shard = ctx.shard(position.shard)?;
        let db = shard.db(number);
        for visited in 1.. {
            let (next, enough) = visit(db, position.hash);
            position.advance(next);
            if enough && position.has_cursor() {
                return Ok(());
            }
            if next.is_none() || visited >= SLICE && position.has_cursor() {
                break;
            }
        }
    }
    Ok(())
}

/// Walks on in one table until the end, or until `visit` has enough; see [`walk`].
pub(super) fn walk_table(
    position: &mut Position,
    mut visit: impl FnMut(u64) -> (Option<u64>, bool),
) {
    while !position.is_end() {
        let (next, enough) = visit(position.hash);
        *position = next.map_or(Position::END, |hash| Position { hash, ..*position });
        if enough && position.has_cursor() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_lead_back() {
        let last = u64::MAX << LOST_BITS;
        for (shard, hash, cursor) in [
            (0, 0, 0),
            (0, 1 << LOST_BITS, 1),
            (0, last, (1 << KEPT_BITS) - 1),
            (1, 0, 1 << KEPT_BITS),
            (1023, last, (1 << 53) - 1),
        ] {
            let position = Position { shard, hash };
            assert!(position.has_cursor() && !position.is_end());
            assert_eq!(position.cursor(), cursor, "{position:?}");
            assert_eq!(Position::of_cursor(cursor), position, "{cursor}");
        }
    }

    #[test]
    fn the_end_is_zero_and_foreign_cursors_lead_there() {
        let mut position = Position::of_shard(1023);
        position.advance(None);
        assert!(position.is_end());
        assert_eq!(position.cursor(), 0);
        for cursor in [1 << 53, u64::MAX] {
            assert!(Position::of_cursor(cursor).is_end(), "{cursor}");
            assert!(Position::in_table(cursor).is_end(), "{cursor}");
        }
        assert!(Position::in_table(1 << KEPT_BITS).is_end());
        assert_eq!(Position::in_table(5).cursor(), 5);
    }

    #[test]
    fn a_walk_stops_only_where_a_cursor_can_point() {
        for (hash, expected) in [(0, true), (1 << 21, true), (1 << 20, false), (3 << 20, false)] {
            assert_eq!(Position { shard: 3, hash }.has_cursor(), expected, "{hash:#x}");
        }
    }
}
