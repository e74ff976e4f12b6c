//! The tests a user would sign: the real binary, seen from outside.
//!
//! `cargo test -p tests` runs all of them, `cargo test -p tests expiry` those with that word in
//! their names. See `tests/README.md`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod clients;
mod concurrency;
mod config;
mod control;
mod differential;
mod expiry;
mod limits;
mod payloads;
mod process;
mod protocol;
mod server_commands;
mod table;
mod table_facts;
mod tidy;
mod transcripts;
