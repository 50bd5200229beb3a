//! The trainer from files to files: models, metrics and predictions for logs with known true
//! probabilities.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they measured"
)]

// The schema with every kind of input and its random columns are shared with the model crate.
#[path = "../../../model/tests/it/common/mod.rs"]
mod common;

mod awkward;
mod calibration;
mod combined;
mod encoding;
mod features;
mod feed;
mod fitting;
mod leakage;
mod path;
mod quality;
mod text;
