//! How often and from which seed intervals are drawn.

use counterweight_statistics::{poisson, unit_interval};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::EvaluationError;

/// How intervals are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Draws {
    /// Bootstrap replicates over users, at least 2.
    pub replicates: usize,
    /// Level of the intervals, in (0, 1).
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Draws {
    fn default() -> Self {
        Self {
            replicates: 500,
            level: 0.95,
            seed: 1,
        }
    }
}

impl Draws {
    /// The seed of one replicate.
    pub(crate) fn replicate_seed(self, replicate: u64) -> u64 {
        xxh3_64_with_seed(&replicate.to_le_bytes(), self.seed)
    }

    /// Checks that intervals can be made of these draws.
    ///
    /// # Errors
    /// [`EvaluationError::Option`].
    pub fn check(self) -> Result<(), EvaluationError> {
        if self.replicates < 2 {
            return Err(EvaluationError::Option {
                name: "the number of replicates",
                value: self.replicates.to_string(),
                expected: "an interval takes at least 2",
            });
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(EvaluationError::Option {
                name: "the level",
                value: self.level.to_string(),
                expected: "it is above 0 and below 1, such as 0.95",
            });
        }
        Ok(())
    }
}

/// How often a user counts in the replicate of this seed.
pub(crate) fn count(seed: u64, user: u64) -> f64 {
    let hash = xxh3_64_with_seed(&user.to_le_bytes(), seed);
    f64::from(poisson(unit_interval(hash)))
}
