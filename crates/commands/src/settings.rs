//! Parameters of the configuration that commands on data follow. They may change at any time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use protocol::request;
use values::Limits;

/// The parameters.
#[derive(Debug)]
pub struct Settings {
    /// Bytes of the longest argument and the longest string (`proto-max-bulk-len`).
    pub string_len_max: AtomicU64,
    /// Up to what size collections stay in their smaller forms.
    pub limits: Limits,
}

impl Settings {
    /// Redis's defaults.
    pub const fn new() -> Self {
        Self {
            string_len_max: AtomicU64::new(request::Limits::LOGGED_IN.bulk_len_max as u64),
            limits: Limits::new(),
        }
    }

    /// Bytes of the longest argument and the longest string.
    #[inline]
    pub fn string_len_max(&self) -> usize {
        usize::try_from(self.string_len_max.load(Relaxed)).unwrap_or(usize::MAX)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
