//! Counters that only rise, read together, so that those since the last reset are a difference.

use std::ops::Sub;

use crate::census::Census;
use crate::server::Server;
use crate::traffic::Traffic;

/// Counters since the start, or since another reading.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused.
    pub refused: u64,
    /// Connections closed because of their limit of input.
    pub over_input: u64,
    /// Connections closed because of their limit of output.
    pub over_output: u64,
    /// What has gone over the network.
    pub traffic: Traffic,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not find their key.
    pub misses: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
    /// Members of collections removed for the same reason.
    pub expired_members: u64,
    /// Turns of the threads' loops.
    pub turns: u64,
    /// Nanoseconds of these turns.
    pub turn_nanos: u64,
}

impl Counts {
    /// Reads all counters.
    pub fn read(server: &Server, census: &Census) -> Self {
        let (over_input, over_output) = server.clients.over();
        let (turns, ticks) = server.turns.sums();
        Self {
            accepted: server.clients.accepted(),
            refused: server.clients.refused(),
            over_input,
            over_output,
            traffic: server.clients.traffic(),
            hits: census.stats.hits,
            misses: census.stats.misses,
            expired: census.stats.expired,
            expired_members: census.stats.expired_members,
            turns,
            turn_nanos: server.stats.nanos(ticks),
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            accepted: self.accepted.saturating_sub(other.accepted),
            refused: self.refused.saturating_sub(other.refused),
            over_input: self.over_input.saturating_sub(other.over_input),
            over_output: self.over_output.saturating_sub(other.over_output),
            traffic: self.traffic - other.traffic,
            hits: self.hits.saturating_sub(other.hits),
            misses: self.misses.saturating_sub(other.misses),
            expired: self.expired.saturating_sub(other.expired),
            expired_members: self.expired_members.saturating_sub(other.expired_members),
            turns: self.turns.saturating_sub(other.turns),
            turn_nanos: self.turn_nanos.saturating_sub(other.turn_nanos),
        }
    }
}
