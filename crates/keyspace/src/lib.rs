//! The keyspace: 1,024 shards that threads borrow, and what lives in a shard.
//!
//! ```text
//! key ──CRC16──> slot (0..16384) ──>>4──> shard (0..1024) ──> database 0..15 ──> table ──> entry
//! ```
//!
//! A shard is a world: its tables, its counters. Whoever borrows it has `&mut Shard` and nothing in
//! it is atomic, locked or shared. A command borrows the shards of all its keys, runs, and gives
//! them back; that is the whole transaction framework.
//!
//! This crate knows no command, no reply and no socket. Its `unsafe` is in `borrow.rs`.

pub mod borrow;
pub mod db;
pub mod expire;
pub mod glob;
pub mod reclaim;
pub mod shards;
pub mod slot;

pub use borrow::Held;
pub use db::{Db, Shard};
pub use shards::{HeldSet, Key, Keyspace};

/// Shards of a keyspace.
pub const SHARDS: usize = 1024;
/// Databases of a keyspace.
pub const DATABASES: usize = 16;
