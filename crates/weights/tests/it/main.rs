//! What a change makes of a profile, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod log;

mod refusals;
mod results;
