//! Standardising: numbers are scaled to mean 0 and variance 1, and bounded. A missing value becomes
//! the mean.

use serde::{Deserialize, Serialize};

/// Standardised values are limited to this many standard deviations on either side of the mean.
const BOUND: f64 = 10.0;

/// Mean and standard deviation of a column's values that are not missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, with n in the denominator.
    pub sd: f64,
}

impl Standard {
    /// Whether both numbers are finite, and the deviation is positive and has a finite inverse.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.mean.is_finite() && self.sd.is_finite() && self.sd > 0.0 && (1.0 / self.sd).is_finite()
    }

    /// Writes the standardised `values` to `out`; a missing one becomes 0, the mean.
    pub fn apply(&self, values: &[f64], out: &mut Vec<f64>) {
        let (mean, inverse) = (self.mean, 1.0 / self.sd);
        out.clear();
        out.extend(values.iter().map(|value| {
            let z = (value - mean) * inverse;
            if z.is_nan() {
                0.0
            } else {
                z.clamp(-BOUND, BOUND)
            }
        }));
    }
}
