//! The report of an artefact: how the model was trained, and its metrics. People read it, and
//! comparisons of models use it.

use serde::{Deserialize, Serialize};

/// Everything about a training run except the model itself. It does not contain a time stamp, so
/// the same seed and data give the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The command that trains the model again.
    pub command: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// The data that the model was trained on.
    pub data: DataReport,
    /// Metrics on each part (train, calibrate, tune, test, or cross-fitted), in that order.
    pub parts: Vec<PartReport>,
    /// The penalty and how it was chosen.
    pub regularisation: Regularisation,
    /// How the solver ended.
    pub convergence: Convergence,
    /// Dropped columns, warnings and choices that were made; one line each.
    pub notes: Vec<String>,
}

/// The data that a model was trained on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataReport {
    /// Name of the dataset.
    pub dataset: String,
    /// SHA-256 over the dataset's description and files, in hexadecimal digits.
    pub fingerprint: String,
    /// Rows read from the files.
    pub rows_read: u64,
    /// Rows that remain after filters and sampling, without those whose label is missing.
    pub rows_used: u64,
    /// Share of positives in the log, after filters and before sampling by class.
    pub prior_rate: f64,
    /// The rule of the label, with the value of every threshold.
    pub label: String,
    /// The training median that the label is compared with, if the rule needs one; rows of the
    /// other parts are compared with the same value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_threshold: Option<f64>,
    /// The rule of the split.
    pub split: String,
}

/// Metrics on one part of the data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartReport {
    /// `train`, `calibrate`, `tune`, `test`, or `cross-fitted`.
    pub part: String,
    /// Rows.
    pub rows: u64,
    /// Rows with a positive label.
    pub positives: u64,
    /// Area under the ROC curve; `None` if one class is absent.
    pub auc: Option<f64>,
    /// Average precision; `None` if one class is absent.
    pub pr_auc: Option<f64>,
    /// Mean log loss in nats; `None` without rows.
    pub log_loss: Option<f64>,
    /// Mean squared error of the probability; `None` without rows.
    pub brier: Option<f64>,
    /// Expected calibration error with 10 equal-width bins; `None` without rows.
    pub ece: Option<f64>,
    /// Bins of the calibration table, without empty ones.
    pub calibration: Vec<CalibrationBin>,
}

/// One bin of a calibration table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationBin {
    /// Lower bound of the probability.
    pub lower: f64,
    /// Upper bound of the probability.
    pub upper: f64,
    /// Rows in it.
    pub rows: u64,
    /// Mean probability of its rows.
    pub mean_probability: f64,
    /// Share of positives among its rows.
    pub positive_rate: f64,
}

/// The penalty `alpha / 2 · ‖w‖²` on the summed log loss, and the curve from which it was chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularisation {
    /// Chosen alpha.
    pub alpha: f64,
    /// How it was chosen, e.g. `5-fold cross-validation by group, log loss`.
    pub chosen_by: String,
    /// Every penalty that was tried, in increasing order; empty when alpha was given.
    pub curve: Vec<CurvePoint>,
}

/// One penalty that was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// The penalty.
    pub alpha: f64,
    /// Mean held-out log loss.
    pub log_loss: f64,
    /// Standard error of that mean over the folds.
    pub standard_error: f64,
}

/// How the solver ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convergence {
    /// Whether the gradient fell below the tolerance.
    pub converged: bool,
    /// Number of iterations.
    pub iterations: u64,
    /// Norm of the gradient of the mean loss at the end.
    pub gradient_norm: f64,
    /// Mean penalised loss at the end.
    pub loss: f64,
}
