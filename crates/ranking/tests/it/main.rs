//! Every integration test of this crate, in one binary: one link instead of 6.

mod metrics_reference;
mod ope;
mod preview;
mod ranking_reference;
mod solve;
mod sweep;
