//! Every integration test of this crate, in one binary: one link instead of 3.

mod preview;
mod solve;
mod sweep;
