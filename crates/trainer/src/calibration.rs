//! Fits calibrators, which map logits to probabilities that agree with the observed share of
//! positives.

mod isotonic;
mod logistic;

use std::str::FromStr;

use counterweight_model::{Calibrator, PriorCorrection, softplus};
use serde::Serialize;

use crate::error::TrainerError;

/// Isotonic regression needs this many rows; with fewer it would fit the noise.
const ISOTONIC_ROWS: usize = 1000;

/// How to calibrate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// A line on the logit: two parameters, suitable for few rows.
    #[default]
    Platt,
    /// A curve that never decreases; needs at least 1000 rows.
    Isotonic,
    /// A line in `ln p` and one in `ln (1 − p)`: three parameters.
    Beta,
    /// No calibration: the logistic function of the fitted logit.
    None,
}

impl Calibration {
    /// The name on the command line and in an artefact.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Platt => "platt",
            Self::Isotonic => "isotonic",
            Self::Beta => "beta",
            Self::None => "none",
        }
    }

    /// Fits on the logits of rows that were not sampled by class.
    pub(crate) fn fit(self, logits: &[f64], labels: &[bool]) -> Result<Calibrator, TrainerError> {
        if self == Self::Isotonic && logits.len() < ISOTONIC_ROWS {
            return Err(TrainerError::TooFewForIsotonic {
                rows: logits.len(),
                needed: ISOTONIC_ROWS,
            });
        }
        Ok(match self {
            Self::Platt => fit_platt(logits, labels)?,
            Self::Isotonic => fit_isotonic(logits, labels)?,
            Self::Beta => fit_beta(logits, labels)?,
            Self::None => Calibrator::None,
        })
    }

    /// Fits on the cross-fitted logits of training rows, which were sampled with the rates of
    /// `prior`. The result expects logits *after* the prior correction, like every calibrator of a
    /// model.
    pub(crate) fn fit_cross_fitted(
        self,
        logits: &[f64],
        labels: &[bool],
        prior: Option<PriorCorrection>,
    ) -> Result<Calibrator, TrainerError> {
        let Some(shift) = prior.map(|prior| prior.shift()) else {
            return self.fit(logits, labels);
        };
        match self.fit(logits, labels)? {
            Calibrator::None => Ok(Calibrator::None),
            // Among the sampled rows, the calibrated logit of a logit t is `slope·t + intercept`.
            // In the log it differs by the shift s. The calibrator gets t + s, so the line becomes
            // `slope·(t + s) + intercept + s − slope·s`.
            Calibrator::Platt { slope, intercept } => Ok(Calibrator::Platt {
                slope,
                intercept: intercept + shift - slope * shift,
            }),
            Calibrator::Isotonic { .. } | Calibrator::Beta { .. } => {
                Err(TrainerError::SampledCalibration {
                    method: self.name(),
                })
            }
        }
    }
}

impl FromStr for Calibration {
    type Err = TrainerError;

    fn from_str(name: &str) -> Result<Self, TrainerError> {
        [Self::Platt, Self::Isotonic, Self::Beta, Self::None]
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| TrainerError::Option {
                name: "calibration",
                value: name.to_owned(),
                expected: "platt, isotonic, beta or none",
            })
    }
}

/// Platt scaling: maximum likelihood without a penalty, with slope ≥ 0, on Platt's targets
/// `(N₊ + 1)/(N₊ + 2)` and `1/(N₋ + 2)`. With these targets the parameters stay finite even if the
/// classes can be separated.
///
/// A slope of 0 means that higher logits do not go with positive labels.
///
/// # Errors
/// [`TrainerError::Calibration`] if there are no rows, if all labels are equal, or if a logit is
/// not finite; [`TrainerError::Length`] if the lengths differ.
pub fn fit_platt(logits: &[f64], labels: &[bool]) -> Result<Calibrator, TrainerError> {
    check_rows("platt", logits, labels)?;
    let fit = logistic::fit_non_negative(&[logits.to_vec()], &logistic::smoothed_targets(labels));
    checked(Calibrator::Platt {
        slope: fit.coefficients[0],
        intercept: fit.intercept,
    })
}

/// Isotonic regression by pool-adjacent-violators, like scikit-learn's with `out_of_bounds="clip"`.
/// Use it for well over 1000 rows. It gives different logits the same probability, and gives 0 or 1
/// at an end where all labels are equal.
///
/// # Errors
/// As [`fit_platt`](fit_platt).
pub fn fit_isotonic(logits: &[f64], labels: &[bool]) -> Result<Calibrator, TrainerError> {
    check_rows("isotonic", logits, labels)?;
    let (x, y) = isotonic::fit(logits, labels);
    checked(Calibrator::Isotonic { x, y })
}

/// Beta calibration: maximum likelihood without a penalty, with `a, b ≥ 0`, on the same targets as
/// [`fit_platt`](fit_platt).
///
/// # Errors
/// As [`fit_platt`](fit_platt).
pub fn fit_beta(logits: &[f64], labels: &[bool]) -> Result<Calibrator, TrainerError> {
    check_rows("beta", logits, labels)?;
    let ln_p = logits.iter().map(|logit| -softplus(-logit)).collect();
    let minus_ln_q = logits.iter().map(|logit| softplus(*logit)).collect();
    let fit = logistic::fit_non_negative(&[ln_p, minus_ln_q], &logistic::smoothed_targets(labels));
    checked(Calibrator::Beta {
        a: fit.coefficients[0],
        b: fit.coefficients[1],
        c: fit.intercept,
    })
}

fn checked(calibrator: Calibrator) -> Result<Calibrator, TrainerError> {
    calibrator.check()?;
    Ok(calibrator)
}

fn check_rows(method: &'static str, logits: &[f64], labels: &[bool]) -> Result<(), TrainerError> {
    if logits.len() != labels.len() {
        return Err(TrainerError::Length {
            what: "labels to calibrate with",
            expected: logits.len(),
            found: labels.len(),
        });
    }
    let positives = labels.iter().filter(|label| **label).count();
    let problem = match logits.iter().position(|logit| !logit.is_finite()) {
        Some(row) => format!(
            "the logit of row {row} is {}; logits must be finite",
            logits[row]
        ),
        None if labels.is_empty() => "there are no rows; it needs rows of both classes".into(),
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
    Err(TrainerError::Calibration { method, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits, and labels whose true logit is twice the given one; the draws are evenly spread.
    fn rows(count: usize) -> (Vec<f64>, Vec<bool>) {
        (0..count)
            .map(|i| {
                let logit = (i % 21) as f64 / 5.0 - 2.0;
                let share = ((i / 21) as f64 * 0.618_033_988_75).fract();
                (logit, share < 1.0 / (1.0 + (-2.0 * logit).exp()))
            })
            .unzip()
    }

    #[test]
    fn isotonic_rejects_few_rows() {
        let (logits, labels) = rows(999);
        let error = Calibration::Isotonic.fit(&logits, &labels).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("at least 1000 rows, but there are 999")
        );
    }

    #[test]
    fn a_line_fitted_on_sampled_rows_is_corrected_to_the_log() {
        // Keep every positive and one negative in four; the log itself is that of `rows`.
        let (logits, labels) = rows(42_000);
        let mut negatives = 0;
        let (mut kept_logits, mut kept_labels) = (Vec::new(), Vec::new());
        for (&logit, &label) in logits.iter().zip(&labels) {
            negatives += usize::from(!label);
            if label || negatives % 4 == 0 {
                kept_logits.push(logit);
                kept_labels.push(label);
            }
        }
        let prior = PriorCorrection {
            negative_rate: 0.25,
            positive_rate: 1.0,
        };
        let fitted = Calibration::Platt
            .fit_cross_fitted(&kept_logits, &kept_labels, Some(prior))
            .unwrap();
        for logit in [-1.0, 0.0, 1.5] {
            let expected = 1.0 / (1.0 + (-2.0_f64 * logit).exp());
            let found = fitted.apply(logit + prior.shift());
            assert!((found - expected).abs() < 0.02, "{found} is not {expected}");
        }
        let rejected = Calibration::Beta.fit_cross_fitted(&kept_logits, &kept_labels, Some(prior));
        assert!(matches!(
            rejected,
            Err(TrainerError::SampledCalibration { method: "beta" })
        ));
    }

    #[test]
    fn methods_are_read_by_name() {
        assert_eq!("beta".parse::<Calibration>().unwrap(), Calibration::Beta);
        let error = "plat".parse::<Calibration>().unwrap_err().to_string();
        assert_eq!(
            error,
            "calibration is plat, but must be platt, isotonic, beta or none"
        );
    }
}
