//! What a key can hold besides a string: collections as plain data structures.
//!
//! This crate knows no keyspace, no command and no clock; times come as arguments. Its `unsafe` is
//! in `block.rs`, and one block of it in `sorted_set.rs`.

mod block;
pub mod hash;
pub mod members;
pub mod score;
pub mod set;
pub mod sorted_set;
mod tree;

pub use hash::Hash;
pub use members::Expiry;
pub use score::Score;
pub use set::Set;
pub use sorted_set::SortedSet;
