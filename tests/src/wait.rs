//! Waiting for conditions.

use std::time::{Duration, Instant};

/// After this time, something that should happen soon never will, on any machine.
pub const LIMIT: Duration = Duration::from_secs(120);
/// Pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within [`LIMIT`].
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    within(LIMIT, what, condition);
}

/// Waits until `condition` holds, which must be within `limit`.
///
/// # Panics
/// When it does not.
pub fn within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}
