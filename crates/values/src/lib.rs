//! What a key can hold besides a string: collections as plain data structures.
//!
//! ```text
//! packed   any small collection as one run of bytes, which an entry embeds; edits are splices
//! intset   a small set of integers, sorted
//! list     a list of any size: a chain of packed nodes
//! ```
//!
//! This crate knows members, fields, scores and times. It knows no keyspace, no command, no
//! protocol and no clock.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod intset;
pub mod list;
pub mod packed;
