//! Calibrators: maps from a logit to a probability that means what it says.

mod isotonic;
mod logistic;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ModelError;
use crate::math::{sigmoid, softplus};

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
    pub fn apply(&self, logit: f64) -> f64 {
        match self {
            Self::None => sigmoid(logit),
            Self::Platt { slope, intercept } => sigmoid(slope * logit + intercept),
            Self::Isotonic { x, y } => isotonic::interpolate(x, y, logit),
            Self::Beta { a, b, c } => sigmoid(b * softplus(logit) - a * softplus(-logit) + c),
        }
    }

    /// Platt scaling: maximum likelihood without a penalty under slope ≥ 0, on Platt's targets `(N₊ + 1)/(N₊ + 2)` and
    /// `1/(N₋ + 2)`, which keep it finite where the classes can be separated.
    ///
    /// A slope of 0 says that the logits do not rise with the label.
    ///
    /// # Errors
    /// [`ModelError::Calibration`] for no rows, one class only, or logits that are not finite; [`ModelError::Length`].
    pub fn fit_platt(logits: &[f64], labels: &[bool]) -> Result<Self, ModelError> {
        check_rows("platt", logits, labels)?;
        let fit =
            logistic::fit_non_negative(&[logits.to_vec()], &logistic::smoothed_targets(labels));
        checked(Self::Platt {
            slope: fit.coefficients[0],
            intercept: fit.intercept,
        })
    }

    /// Isotonic regression by pool-adjacent-violators, as scikit-learn's with `out_of_bounds="clip"`. For well over 1000 rows; it
    /// makes ties, and gives 0 and 1 at the ends where the data do.
    ///
    /// # Errors
    /// As [`fit_platt`](Self::fit_platt).
    pub fn fit_isotonic(logits: &[f64], labels: &[bool]) -> Result<Self, ModelError> {
        check_rows("isotonic", logits, labels)?;
        let (x, y) = isotonic::fit(logits, labels);
        checked(Self::Isotonic { x, y })
    }

    /// Beta calibration: maximum likelihood without a penalty under `a, b ≥ 0`, on the same targets as
    /// [`fit_platt`](Self::fit_platt).
    ///
    /// # Errors
    /// As [`fit_platt`](Self::fit_platt).
    pub fn fit_beta(logits: &[f64], labels: &[bool]) -> Result<Self, ModelError> {
        check_rows("beta", logits, labels)?;
        let ln_p = logits.iter().map(|logit| -softplus(-logit)).collect();
        let minus_ln_q = logits.iter().map(|logit| softplus(*logit)).collect();
        let fit =
            logistic::fit_non_negative(&[ln_p, minus_ln_q], &logistic::smoothed_targets(labels));
        checked(Self::Beta {
            a: fit.coefficients[0],
            b: fit.coefficients[1],
            c: fit.intercept,
        })
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

    /// Name and hash of the content, e.g. `platt-1f0c9a77`; equal for equal calibrators. `none` has no content.
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

    /// Whether every number is in the range that keeps the map within `[0, 1]` and never decreasing.
    ///
    /// # Errors
    /// [`ModelError::Calibration`] with what is out of range; for a calibrator read from a file or written by hand.
    pub fn check(&self) -> Result<(), ModelError> {
        let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let problem = match self {
            Self::None => return Ok(()),
            Self::Platt { slope, intercept } if !finite(&[*slope, *intercept]) => {
                "a parameter is not finite"
            }
            Self::Platt { slope, .. } if *slope < 0.0 => {
                "the slope is negative, which would turn the order round"
            }
            Self::Beta { a, b, c } if !finite(&[*a, *b, *c]) => "a parameter is not finite",
            Self::Beta { a, b, .. } if a.min(*b) < 0.0 => {
                "a or b is negative, which would turn the order round"
            }
            Self::Isotonic { x, y } if x.is_empty() || x.len() != y.len() => {
                "x and y must be as long as one another, and not empty"
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

fn checked(calibrator: Calibrator) -> Result<Calibrator, ModelError> {
    calibrator.check()?;
    Ok(calibrator)
}

fn check_rows(method: &'static str, logits: &[f64], labels: &[bool]) -> Result<(), ModelError> {
    if logits.len() != labels.len() {
        return Err(ModelError::Length {
            what: "labels to calibrate with",
            expected: logits.len(),
            found: labels.len(),
        });
    }
    let positives = labels.iter().filter(|label| **label).count();
    let problem = match logits.iter().position(|logit| !logit.is_finite()) {
        Some(row) => format!("the logit of row {row} is {}", logits[row]),
        None if labels.is_empty() => "there are no rows".into(),
        None if positives == 0 || positives == labels.len() => {
            format!(
                "all {} labels are {}; both classes are needed",
                labels.len(),
                if positives == 0 {
                    "negative"
                } else {
                    "positive"
                }
            )
        }
        None => return Ok(()),
    };
    Err(ModelError::Calibration { method, problem })
}
