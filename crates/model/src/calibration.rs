//! Calibrators map a logit to a probability that agrees with the observed share of positives.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::ModelError;
use crate::math::{sigmoid, softplus};

/// A fitted map from logit to probability. It never decreases.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibrator {
    /// The logistic function itself.
    #[default]
    None,
    /// `sigmoid(slope · logit + intercept)`, slope ≥ 0.
    Platt {
        /// Factor of the logit.
        slope: f64,
        /// Constant.
        intercept: f64,
    },
    /// Linear interpolation between points, constant beyond the first and the last.
    Isotonic {
        /// Logits, strictly increasing, at least one.
        x: Vec<f64>,
        /// Probabilities, never decreasing, one per logit.
        y: Vec<f64>,
    },
    /// `logit p' = a·ln p − b·ln(1 − p) + c` with `p = sigmoid(logit)`, a and b ≥ 0.
    Beta {
        /// Factor of `ln p`.
        a: f64,
        /// Factor of `−ln(1 − p)`.
        b: f64,
        /// Constant.
        c: f64,
    },
}

impl Calibrator {
    /// The probability that belongs to a logit, in `[0, 1]`; NaN stays NaN.
    ///
    /// ```
    /// use counterweight_model::Calibrator;
    ///
    /// let platt = Calibrator::Platt { slope: 2.0, intercept: -1.0 };
    /// assert_eq!(platt.apply(0.5), 0.5);
    /// let isotonic = Calibrator::Isotonic { x: vec![-1.0, 1.0], y: vec![0.25, 0.75] };
    /// assert_eq!(isotonic.apply(0.5), 0.625);
    /// ```
    #[must_use]
    pub fn apply(&self, logit: f64) -> f64 {
        match self {
            Self::None => sigmoid(logit),
            Self::Platt { slope, intercept } => sigmoid(slope * logit + intercept),
            Self::Isotonic { x, y } => interpolate(x, y, logit),
            Self::Beta { a, b, c } => sigmoid(b * softplus(logit) - a * softplus(-logit) + c),
        }
    }

    /// Name of the method: `none`, `platt`, `isotonic` or `beta`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Platt { .. } => "platt",
            Self::Isotonic { .. } => "isotonic",
            Self::Beta { .. } => "beta",
        }
    }

    /// Name of the method and hash of its parameters, such as `platt-1f0c9a77`. Equal calibrators
    /// have equal versions. The version of [`None`](Self::None) is `none`, without a hash.
    #[must_use]
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        let mut numbers = |numbers: &[f64]| {
            for number in numbers {
                hash.update(number.to_bits().to_le_bytes());
            }
        };
        match self {
            Self::None => return "none".into(),
            Self::Platt { slope, intercept } => numbers(&[*slope, *intercept]),
            Self::Isotonic { x, y } => [x, y].into_iter().for_each(|values| numbers(values)),
            Self::Beta { a, b, c } => numbers(&[*a, *b, *c]),
        }
        let digest: String = hash
            .finalize()
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{digest}", self.method())
    }

    /// Checks that the map stays within `[0, 1]` and never decreases. Use it for a calibrator that
    /// was read from a file or written by hand.
    ///
    /// # Errors
    /// [`ModelError::Calibration`] names the parameter that is out of range.
    pub fn check(&self) -> Result<(), ModelError> {
        let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let problem = match self {
            Self::None => return Ok(()),
            Self::Platt { slope, intercept } if !finite(&[*slope, *intercept]) => {
                "a parameter is not finite"
            }
            Self::Platt { slope, .. } if *slope < 0.0 => {
                "the slope is negative, which would reverse the order; use a slope of at least 0"
            }
            Self::Beta { a, b, c } if !finite(&[*a, *b, *c]) => "a parameter is not finite",
            Self::Beta { a, b, .. } if a.min(*b) < 0.0 => {
                "a or b is negative, which would reverse the order; use values of at least 0"
            }
            Self::Isotonic { x, y } if x.is_empty() || x.len() != y.len() => {
                "x and y must have the same length and not be empty"
            }
            Self::Isotonic { x, y } if !finite(x) || !finite(y) => "a point is not finite",
            Self::Isotonic { x, .. } if !x.is_sorted_by(|a, b| a < b) => "x must increase strictly",
            Self::Isotonic { y, .. } if !y.is_sorted() || y[0] < 0.0 || y[y.len() - 1] > 1.0 => {
                "y must never decrease and lie between 0 and 1"
            }
            _ => return Ok(()),
        };
        Err(ModelError::Calibration {
            method: self.method(),
            problem: problem.into(),
        })
    }
}

/// The value at `logit`: linear between the points, constant beyond them.
fn interpolate(x: &[f64], y: &[f64], logit: f64) -> f64 {
    if logit.is_nan() {
        return logit;
    }
    let after = x.partition_point(|x| *x <= logit);
    if after == 0 {
        return y[0];
    }
    if after == x.len() {
        return y[after - 1];
    }
    let (x0, x1, y0, y1) = (x[after - 1], x[after], y[after - 1], y[after]);
    // Each logit is halved before the subtraction: the difference of two huge logits may overflow.
    let share = (logit / 2.0 - x0 / 2.0) / (x1 / 2.0 - x0 / 2.0);
    (y0 + (y1 - y0) * share).clamp(y0, y1)
}
