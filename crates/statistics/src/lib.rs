//! Draws that anyone can repeat, and the intervals that are made of them. Pure arithmetic: no I/O,
//! no clock, no random state.
//!
//! One rule holds everywhere for too few values: what fewer than two values cannot tell is NaN,
//! never 0. A zero would read as certainty.

mod band;
mod draw;
mod spread;

pub use band::Band;
pub use draw::{open_unit_interval, poisson, splitmix64, unit_interval};
pub use spread::{clustered_error, deviation, normal_quantile};
