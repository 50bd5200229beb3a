//! Every integration test of this crate, in one binary: one link instead of 6.

mod common;

mod bad_input;
mod description;
mod foreign;
mod formats;
mod parts;
mod recipes;
