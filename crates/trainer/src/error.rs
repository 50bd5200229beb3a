//! Every way in which training, measuring and predicting are refused.

use std::path::PathBuf;

use counterweight_dataset::DatasetError;
use counterweight_model::ModelError;

use crate::fit::FitError;

/// What went wrong, with the facts that a person needs to put it right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainerError {
    /// The dataset cannot be read, or has nothing to train on.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Encoding, calibration or the artefact.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The encoded matrix cannot be fitted.
    #[error("objective `{objective}`, {what}: {source}")]
    Fit {
        /// The objective.
        objective: String,
        /// Which fit it was.
        what: String,
        /// Why.
        source: FitError,
    },
    /// An option is out of range.
    #[error("{name} is {value}, but must be {expected}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// Isotonic regression on few rows follows noise.
    #[error(
        "isotonic calibration needs at least {needed} rows, but there are {rows}; use platt, or give the split a larger `calibrate` part"
    )]
    TooFewForIsotonic {
        /// Rows there are.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// Cross-fitted logits of a down-sampled training part can be put back to the log's base rate for a line only.
    #[error(
        "{method} calibration of a training part with `sample_negatives` needs rows of the log as it is: give the split a `calibrate` part, or use platt"
    )]
    SampledCalibration {
        /// The method asked for.
        method: &'static str,
    },
    /// A fold table needs every row.
    #[error(
        "objective `{objective}` samples its negatives, so its folds would not have the log's base rate; leave `sample_negatives` out"
    )]
    SampledFolds {
        /// The objective.
        objective: String,
    },
    /// Two objectives that one model can not be trained on.
    #[error("`{gained}` and `{avoided}` can not be trained as one: {problem}")]
    NotTogether {
        /// The objective that is wanted.
        gained: String,
        /// The objective that is not.
        avoided: String,
        /// Why, and what to do.
        problem: String,
    },
    /// Predictions are written by the ending of the file's name.
    #[error("{path}: predictions are written as .csv, .ndjson, .jsonl or .parquet, by the ending")]
    Ending {
        /// The file asked for.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {problem}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}
