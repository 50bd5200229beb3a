//! The trainer from files to files: logs of a known law in, models, metrics and predictions out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they measured"
)]

// The schema of every kind and its random rows are those of the tests of the model crate.
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
