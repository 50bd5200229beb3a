//! Joins logs that the tests write, and compares with what must come of them.

mod backfill;
mod common;
mod fates;
mod hours;
mod labels;
mod privacy;
mod random;
