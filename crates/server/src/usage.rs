//! What memory is used for.
//!
//! ```text
//! resident: what the operating system keeps in memory
//!   of that, private to the process (the allocator's blocks and stacks), and files (its code)
//! committed: what the allocator has from the operating system
//! used: what the allocator has handed out
//!   of that: overhead (what there was at the start, tables, connections), and the data set
//! ```

use std::sync::atomic::Ordering::Relaxed;

use crate::census::Census;
use crate::clients::Client;
use crate::connection::Connection;
use crate::server::Server;
use crate::system;

/// Bytes by what they are used for.
#[derive(Clone, Copy, Default, Debug)]
pub struct Usage {
    /// What the allocator has handed out.
    pub used: u64,
    /// The most of that so far.
    pub peak: u64,
    /// What was handed out before there were data.
    pub started: u64,
    /// The tables that find keys.
    pub tables: u64,
    /// Connections, without what they keep in buffers.
    pub clients: u64,
    /// What the allocator has from the operating system.
    pub committed: u64,
    /// What is in memory.
    pub resident: u64,
    /// The most of that so far.
    pub resident_peak: u64,
    /// What is in memory and belongs to the process alone.
    pub private: u64,
    /// Keys.
    pub keys: u64,
}

impl Usage {
    /// Measures.
    pub fn measure(server: &Server, census: &Census) -> Self {
        let connection = size_of::<Connection>() + size_of::<Client>();
        let used = memory::used();
        Self {
            used,
            peak: memory::peak().max(used),
            started: server.started_memory.load(Relaxed),
            tables: census.table_bytes(),
            clients: (server.clients.len() * connection) as u64,
            committed: memory::committed(),
            resident: system::resident_bytes().unwrap_or(0),
            resident_peak: system::resident_peak_bytes().unwrap_or(0),
            private: system::anonymous_bytes().unwrap_or(0),
            keys: census.keys(),
        }
    }

    /// What is used for all but data.
    pub fn overhead(&self) -> u64 {
        self.started + self.tables + self.clients
    }

    /// What is used for data.
    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// The data's share of what is used more than at the start, in per cent.
    pub fn dataset_percent(&self) -> f64 {
        percent(self.dataset(), self.used.saturating_sub(self.started))
    }

    /// What is used now, in per cent of the most so far.
    pub fn peak_percent(&self) -> f64 {
        percent(self.used, self.peak)
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 100.0).min(100.0) }
}

/// How many times larger `a` is; zero where that has no meaning.
pub fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// By how many bytes `a` is larger.
pub fn excess(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(i64::MAX)
}
