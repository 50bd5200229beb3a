//! All integration tests of this crate in one binary, so that they are linked only once.

mod support;

mod law;
mod log;
mod population;
mod refusals;
mod sample;
