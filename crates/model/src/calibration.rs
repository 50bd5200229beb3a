//! Calibrators: maps from a logit to a probability that means what it says.

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// A fitted map from logit to probability; never decreasing.
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
        /// Added after it.
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
    /// Probability of a logit, in `[0, 1]`; NaN stays NaN.
    #[must_use]
    pub fn apply(&self, _logit: f64) -> f64 {
        todo!()
    }

    /// Platt scaling: penalty-free maximum likelihood on Platt's smoothed targets.
    ///
    /// # Errors
    /// [`ModelError::Calibration`] for no rows, one class only, or logits that are not finite; [`ModelError::Length`].
    pub fn fit_platt(_logits: &[f64], _labels: &[bool]) -> Result<Self, ModelError> {
        todo!()
    }

    /// Isotonic regression by pool-adjacent-violators, as scikit-learn's with `out_of_bounds="clip"`.
    ///
    /// # Errors
    /// As [`fit_platt`](Self::fit_platt).
    pub fn fit_isotonic(_logits: &[f64], _labels: &[bool]) -> Result<Self, ModelError> {
        todo!()
    }

    /// Beta calibration: maximum likelihood under `a, b ≥ 0`.
    ///
    /// # Errors
    /// As [`fit_platt`](Self::fit_platt).
    pub fn fit_beta(_logits: &[f64], _labels: &[bool]) -> Result<Self, ModelError> {
        todo!()
    }

    /// Name of the method: `none`, `platt`, `isotonic` or `beta`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        todo!()
    }

    /// Name and hash of the content, e.g. `platt-1f0c9a77`; equal for equal calibrators.
    #[must_use]
    pub fn version(&self) -> String {
        todo!()
    }
}
