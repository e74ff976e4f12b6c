//! Tests of the real binary through real connections: what all of them need.
//!
//! ```text
//! suite/           the tests, one binary
//!   └─ transcript  commands and expected replies in files, run against us and against Redis
//!        └─ notation   how a reply is written in such a file
//!   └─ generate    random calls of commands, from templates and from argument trees
//!        └─ tree       the arguments of a command as COMMAND DOCS shows them
//!        └─ pools      lists of ordinary and nasty values
//!   └─ judge       whether two servers answered alike
//!   └─ payload     bytes that should do no harm, and what is to come of them
//!   └─ server      a process under test, ours or Redis's, from its start to its inspected end
//!   └─ client      one connection: bytes out, replies in
//!        └─ resp       a reply as a value
//! ```
//!
//! Nothing here knows the code of the server: what a client cannot see is not tested here. Nothing
//! waits for a fixed time in the hope that something has happened by then: tests wait for
//! conditions, with limits so generous that only a broken server reaches them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub mod client;
pub mod generate;
pub mod judge;
pub mod notation;
pub mod payload;
pub mod pools;
pub mod random;
pub mod resp;
pub mod server;
pub mod transcript;
pub mod tree;
pub mod wait;
