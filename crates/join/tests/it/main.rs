//! Joins logs that the tests write, and compares with what must come of them.

mod common;
mod fates;
mod hours;
mod labels;
mod random;
