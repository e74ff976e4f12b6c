//! Bytes to commands, replies to bytes: the only crate that knows how RESP looks on the wire.
//!
//! * [`request`] cuts a receive buffer into commands without copying their arguments.
//! * [`inline`] splits a line typed by a human (or found in a configuration file) into words.
//! * [`reply`] appends replies in RESP2 or RESP3 to a byte vector.
//! * [`output`] keeps them until they are sent, large values by reference.
//! * [`number`] reads and writes numbers as strictly as Redis does.
//! * [`error`] names what a client can get wrong, in the words of Redis.
//!
//! Invariant: nothing here does I/O, waits, reads a clock, or panics on any input; memory grows
//! only with bytes that arrived, never with a length that was merely announced.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

pub mod error;
pub mod inline;
pub mod number;
pub mod output;
pub mod reply;
pub mod request;
