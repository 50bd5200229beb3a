//! All integration tests of this crate in one binary, so that they are linked only once.

mod common;

mod arbitrary;
mod bad_input;
mod description;
mod folders;
mod foreign;
mod formats;
mod init;
mod parts;
mod recipes;
mod times;
