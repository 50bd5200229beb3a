//! Every integration test of this crate, in one binary: one link instead of 4.

mod support;

mod law;
mod log;
mod refusals;
mod sample;
