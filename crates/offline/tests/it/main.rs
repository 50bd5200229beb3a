//! Every integration test of this crate, in one binary: one link instead of 6.

mod common;

mod coverage;
mod export;
mod ope;
mod reading;
mod real_data;
mod weights;
