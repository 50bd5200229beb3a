//! Every integration test of this crate, in one binary.

mod deploy;
mod file_limit;
