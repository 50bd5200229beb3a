//! The errors of training, evaluation and prediction.

use std::path::PathBuf;

use counterweight_dataset::DatasetError;
use counterweight_model::ModelError;

use crate::fit::FitError;

/// What is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainerError {
    /// The dataset cannot be read, or has no rows to train on.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Encoding failed, or the artefact cannot be written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Encoders cannot be fitted to these rows.
    #[error("cannot fit the encoders: {problem}")]
    Encoders {
        /// What is wrong with the data, and what to do.
        problem: String,
    },
    /// A calibrator cannot be fitted to these rows.
    #[error("{method} calibration: {problem}")]
    Calibration {
        /// Name of the method.
        method: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The number of values is wrong.
    #[error("{what}: {found} values, expected {expected}")]
    Length {
        /// What the values are.
        what: &'static str,
        /// Length needed.
        expected: usize,
        /// Length given.
        found: usize,
    },
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
    /// One fold of the cross-validation contains all rows of a class, so a model cannot be fitted
    /// on the other folds.
    #[error(
        "objective `{objective}`: fold {fold} (folds 0 to {}) contains {}, so a model cannot be \
         fitted on the other folds, whose {others} rows are all {other_class}; add {class} rows of \
         other groups, or try another seed or number of folds",
        folds - 1,
        if *rows == 1 {
            format!("the only {class} row")
        } else {
            format!("all {rows} {class} rows")
        }
    )]
    OneClassOutsideFold {
        /// The objective.
        objective: String,
        /// The fold, from 0.
        fold: usize,
        /// Number of folds.
        folds: usize,
        /// The class whose rows are all in this fold.
        class: &'static str,
        /// Rows of that class.
        rows: usize,
        /// Rows of the other folds.
        others: usize,
        /// Their class.
        other_class: &'static str,
    },
    /// All rows of the `calibrate` part have the same class.
    #[error(
        "objective `{objective}`: all {rows} rows of the calibrate part are {class}, but a \
         calibrator needs both classes; enlarge the part, choose another seed of the split, or \
         leave the part out, so that the training part is used"
    )]
    OneClassToCalibrate {
        /// The objective.
        objective: String,
        /// Rows of the part.
        rows: usize,
        /// Their class.
        class: &'static str,
    },
    /// One fold of a k-fold evaluation could not be trained.
    #[error("training on all folds but fold {fold} (folds 0 to {}): {source}", folds - 1)]
    Fold {
        /// The fold that was held out, from 0.
        fold: u32,
        /// Number of folds.
        folds: usize,
        /// Why.
        source: Box<TrainerError>,
    },
    /// An option is out of range.
    #[error("{name} is {value}, but must be {expected}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// There are too few rows for isotonic regression, which would fit the noise.
    #[error(
        "isotonic calibration needs at least {needed} rows, but there are {rows}; use platt, or \
         give the split a larger `calibrate` part"
    )]
    TooFewForIsotonic {
        /// The number of rows.
        rows: usize,
        /// The number of rows that are needed.
        needed: usize,
    },
    /// The method cannot be fitted on sampled training rows: only Platt's line can be corrected to
    /// the base rate of the log.
    #[error(
        "{method} calibration needs rows that are not sampled, but the training part has \
         `sample_negatives`; give the split a `calibrate` part, or use platt"
    )]
    SampledCalibration {
        /// The method.
        method: &'static str,
    },
    /// A fold table needs every row of the log, but the objective samples its negatives.
    #[error(
        "objective `{objective}` samples its negatives, so its folds would not have the base rate \
         of the log; remove `sample_negatives`"
    )]
    SampledFolds {
        /// The objective.
        objective: String,
    },
    /// One model cannot be trained on these two objectives.
    #[error("`{gained}` and `{avoided}` cannot be trained as one model: {problem}")]
    NotTogether {
        /// The objective to raise.
        gained: String,
        /// The objective to lower.
        avoided: String,
        /// Why, and what to do.
        problem: String,
    },
    /// The extension of the file name does not name a format for predictions.
    #[error(
        "{path}: the file extension is not a format for predictions; use .csv, .ndjson, .jsonl or \
         .parquet"
    )]
    Ending {
        /// The file.
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
