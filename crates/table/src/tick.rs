//! Ticks: the times of expiry as buckets, segments and tables know them.
//!
//! An item has its time to the millisecond in its own block. What only says where to look for items
//! that are due needs no such precision, so there a time is a count of 128 ms in four bytes.

/// Milliseconds in one tick of expiry, as a shift: 128 ms.
pub const TICK_SHIFT: u32 = 7;
/// The tick of what never expires.
pub const NEVER: u32 = u32::MAX;
/// Tick 0 is this time, 2026-01-01 in milliseconds of Unix time; ticks reach 17 years from there.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// The tick that a time in milliseconds falls into; the far future is one tick short of [`NEVER`].
#[inline]
pub fn tick_of(unix_ms: u64) -> u32 {
    let ticks = unix_ms.saturating_sub(EPOCH_MS) >> TICK_SHIFT;
    u32::try_from(ticks).map_or(NEVER - 1, |tick| tick.min(NEVER - 1))
}
