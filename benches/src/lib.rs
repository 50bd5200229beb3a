//! What the serving benches share: processes, and linear models made from random numbers, since serving costs the same whatever was learned.

mod linear;
mod process;

pub use linear::{Linear, numeric_model, title_model};
pub use process::{Process, spawn};
