//! What a key can hold, and the entry that holds it.
//!
//! ```text
//! entry       a key with its value, in one allocation: strings and packed collections in its block
//! value       a string as commands see it
//! packed      any small collection as one run of bytes, which an entry embeds; edits are splices
//! intset      a small set of integers, sorted
//! list        a list of any size: a chain of packed nodes
//! set, hash   a table of members or fields, each in a block of its own (members, block)
//! sorted_set  the same, and a tree of its members in the order of their scores (tree)
//! stream      a tree of packed nodes of entries
//! hyperloglog how many different elements there were, in strings of Redis's formats
//! geo         points on earth as scores, and areas of them
//! ```
//!
//! This crate knows members, fields, scores and times, which come as arguments. It knows no
//! keyspace, no command, no protocol and no clock. Its `unsafe` is in `entry.rs` and `block.rs`,
//! and one block of it in `sorted_set.rs`.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod ahead;
mod block;
pub mod entry;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod list;
pub mod members;
pub mod packed;
pub mod score;
pub mod set;
pub mod sorted_set;
pub mod stream;
mod tree;
pub mod typed;
mod value;

pub use block::LEN_MAX;
pub use entry::{Entry, Form, Kind};
pub use hash::Hash;
pub use list::List;
pub use members::Expiry;
pub use score::Score;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::Stream;
pub use typed::{Limits, Rules, Type};
pub use value::Value;
