//! The hash table of the store: of keys in a shard, and of members in a collection.
//!
//! ```text
//! Table ── root word ──> directory (2^depth words) ──> segment: header | bucket | bucket | …
//!                └─ while one segment is enough, the root word names it itself      │
//!                                                       bucket (64 bytes): 7 slots + 8 bytes
//!                                                                          │
//!                                                       slot: pointer + 19 bits of the hash
//!                                                                          │
//!                                                       an item: a block with its key
//! ```
//!
//! The order of buckets is the order of hashes, so a scan's position is a hash, growth is one
//! linear pass, and what lies between two hashes lies together. A segment grows by a quarter until
//! it has its largest size and only then splits, so that memory per key stays level.
//!
//! This crate knows items that have a key and a tick of expiry. It knows no value, no database, no
//! command and no clock. All its `unsafe` is in `slab.rs`, `segment.rs`, `directory.rs`,
//! `table.rs`, `table/walk.rs` and `peek.rs`.

pub mod bucket;
mod directory;
pub mod hash;
pub mod peek;
mod segment;
mod slab;
pub mod table;
pub mod tick;

pub use hash::Hasher;
pub use peek::Peek;
pub use table::{Item, Table};
