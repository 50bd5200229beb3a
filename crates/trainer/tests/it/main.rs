//! The trainer from files to files: logs of a known law in, models, metrics and predictions out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they measured"
)]

mod awkward;
mod combined;
mod feed;
mod path;
mod quality;
