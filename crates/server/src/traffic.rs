//! What goes over the network: bytes, and how many reads and writes moved them.

use std::ops::{AddAssign, Sub};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::counter;

/// Counts of what has gone over the network.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Traffic {
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Reads that brought bytes.
    pub reads: u64,
    /// Writes that took bytes.
    pub writes: u64,
}

/// Such counts, written by one thread and read by all.
#[derive(Default)]
pub struct Meter {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Meter {
    /// Notes a read; only for the thread that writes.
    #[inline]
    pub fn note_read(&self, bytes: usize) {
        counter::add(&self.bytes_in, bytes as u64);
        counter::add(&self.reads, 1);
    }

    /// Notes a write; only for the thread that writes.
    #[inline]
    pub fn note_written(&self, bytes: usize) {
        counter::add(&self.bytes_out, bytes as u64);
        counter::add(&self.writes, 1);
    }

    /// Adds what another meter has counted; only for the thread that writes.
    pub fn add(&self, traffic: Traffic) {
        counter::add(&self.bytes_in, traffic.bytes_in);
        counter::add(&self.bytes_out, traffic.bytes_out);
        counter::add(&self.reads, traffic.reads);
        counter::add(&self.writes, traffic.writes);
    }

    /// The counts.
    pub fn read(&self) -> Traffic {
        Traffic {
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            reads: self.reads.load(Relaxed),
            writes: self.writes.load(Relaxed),
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.reads += other.reads;
        self.writes += other.writes;
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            bytes_in: self.bytes_in.saturating_sub(other.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(other.bytes_out),
            reads: self.reads.saturating_sub(other.reads),
            writes: self.writes.saturating_sub(other.writes),
        }
    }
}
