//! Joins logs that the tests write, and compares with what must come of them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod backfill;
mod common;
mod fates;
mod hours;
mod labels;
mod privacy;
mod random;
