//! What the benches share: figures over runs, processes, their own combiner, and linear models
//! made from random numbers, since serving costs the same whatever was learned.

mod combiner;
mod figure;
mod linear;
mod process;
pub mod program;

pub use combiner::{Combiner, rank_request};
pub use figure::{Figure, median, p50_and_p99};
pub use linear::{Linear, numeric_model, title_model};
pub use process::{Process, spawn};
