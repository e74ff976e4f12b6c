//! Tests of the real binary through real clients.
