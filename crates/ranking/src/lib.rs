//! Many objectives: weights, the weighted sum, the top k, and the metrics that judge them. Pure: no I/O, no threads, no clock.

mod combine;
pub mod metrics;
mod weights;

pub use combine::{combine, contribution, top_k};
pub use weights::{Weights, WeightsError, symbol};
