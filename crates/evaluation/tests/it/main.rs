//! Every integration test of this crate, in one binary: one link instead of 10.

#[path = "../../../impressions/tests/it/common/mod.rs"]
mod common;

mod coverage;
mod estimators;
mod export;
mod metrics_reference;
mod ope;
mod parts;
mod ranking_reference;
mod real_data;
mod weights;
