//! The hash table of the store, and the entry it holds.
//!
//! ```text
//! Table ── root word ──> directory (2^depth words) ──> segment: header | bucket | bucket | …
//!                └─ while one segment is enough, the root word names it itself      │
//!                                                       bucket (64 bytes): 7 slots + 8 bytes
//!                                                                          │
//!                                                       slot: pointer + 19 bits of the hash
//!                                                                          │
//!                                                       Entry: header, expiry, key, value
//! ```
//!
//! The order of buckets is the order of hashes, so a scan's position is a hash, growth is one
//! linear pass, and what lies between two hashes lies together. A segment grows by a quarter until
//! it has its largest size and only then splits, so that memory per key stays level.
//!
//! This crate knows keys, values as bytes, and ticks of expiry. It knows no database, no command
//! and no clock. All its `unsafe` is in `entry.rs`, `slab.rs`, `segment.rs`, `directory.rs`,
//! `table.rs`, `table/walk.rs` and `peek.rs`.

pub mod bucket;
mod directory;
pub mod entry;
pub mod hash;
pub mod peek;
mod segment;
mod slab;
pub mod table;
pub mod tick;

pub use entry::{Entry, Value};
pub use hash::Hasher;
pub use peek::Peek;
pub use table::{Item, Table};
