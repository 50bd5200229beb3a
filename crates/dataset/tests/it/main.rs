//! Every integration test of this crate, in one binary: one link instead of 6.

mod common;

mod arbitrary;
mod bad_input;
mod description;
mod folders;
mod foreign;
mod formats;
mod parts;
mod recipes;
mod times;
