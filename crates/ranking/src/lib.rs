//! Many objectives: weights, the weighted sum, the top k, exact curves over a weight, what a change
//! would do, and the metrics that judge it. Pure: no I/O, no clock; previews and solving stay on
//! the caller's thread, the offline parts use the threads of a rayon pool, and no result depends on
//! how many there are.

mod bounds;
mod candidates;
mod combine;
mod density;
mod error;
mod number;
mod order;
pub mod preview;
mod probability;
mod ramp;
pub mod solve;
pub mod stability;
mod steps;
pub mod sweep;
mod weights;

pub use counterweight_statistics::splitmix64;

pub use bounds::{Bound, BoundError, check_range, check_step};
pub use combine::{combine, contribution, top_k};
pub use density::Density;
pub use error::RankingError;
pub use number::shortest;
pub use probability::{PROBABILITY_TOLERANCE, clamp_probabilities};
pub use ramp::{MAX_STEPS, Ramp, RampError};
pub use weights::{Weights, WeightsError, symbol};
