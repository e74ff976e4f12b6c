//! Streams: the rows of the family.
//!
//! ```text
//! ids        ids as words and replies
//! ```

pub(crate) mod ids;
