//! What the serving benches share: linear models made from random numbers, since serving costs the same whatever was learned.

mod linear;

pub use linear::{Linear, numeric_model, title_model};
