//! Every integration test of this crate, in one binary.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod outside_bytes;
