//! All integration tests of this crate, in one binary.

mod common;

mod awkward;
mod parts;
mod reading;
mod replay;
mod request_log;
