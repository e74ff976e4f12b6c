//! The commands that work on data: one file per family, one row and one function per command.
//!
//! A handler is a plain function of a [`Context`]: the command's arguments, the shards of its keys,
//! already borrowed, a reply to write, the time. It knows no socket, no thread and no other client,
//! and never waits. Rows say everything else about a command; see `spec.rs`.

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

pub mod bits;
mod collections;
pub mod context;
pub mod deadline;
pub mod expiry;
pub mod failure;
mod found;
pub mod generic;
pub mod geo;
pub mod hashes;
pub mod hyperloglog;
pub mod lists;
mod long_double;
pub mod object;
pub mod picks;
pub mod random;
pub mod scan;
pub mod sets;
pub mod settings;
pub mod sort;
pub mod sorted_sets;
pub mod spec;
pub mod streams;
pub mod strings;
pub mod throttle;

pub use context::{Args, Context, KeyAt, Reads, Shards};
pub use failure::{Failure, Outcome};
pub use settings::Settings;
pub use spec::{Command, Spec};

/// Runs a command on data.
pub type Handler = fn(&mut Context<'_>) -> Outcome;

/// The rows of all families.
pub fn families() -> impl Iterator<Item = &'static Command<Handler>> {
    [
        strings::COMMANDS,
        throttle::COMMANDS,
        bits::COMMANDS,
        lists::COMMANDS,
        generic::COMMANDS,
        object::COMMANDS,
        expiry::COMMANDS,
        scan::COMMANDS,
        sets::COMMANDS,
        hashes::COMMANDS,
        sorted_sets::COMMANDS,
        geo::COMMANDS,
        sort::COMMANDS,
        hyperloglog::COMMANDS,
        streams::COMMANDS,
        streams::group_rows::COMMANDS,
    ]
    .into_iter()
    .flatten()
}
