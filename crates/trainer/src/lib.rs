//! Trains the model of one objective from a log: encodes, fits, calibrates, measures and writes the
//! artefact.
//!
//! [`train`] does these steps in this order. [`evaluate`] measures a trained model on a dataset.
//! [`predict`] writes a probability for every row. [`train_combined`] trains one model on a
//! weighted sum of two losses. [`fold_table`] evaluates the training itself: it refits everything
//! for each fold.
//!
//! This crate does not print. It reports the [`Progress`] of long work to a callback. The same seed
//! and data give the same bytes on any number of threads.

mod calibration;
mod card;
mod classes;
mod combined;
mod encoding;
mod error;
mod evaluate;
pub mod fit;
mod folds;
mod learn;
mod linear;
mod measure;
mod options;
mod predict;
mod progress;
mod search;
mod targets;
mod train;

pub use calibration::{Calibration, fit_beta, fit_isotonic, fit_platt};
pub use combined::{Combined, train_combined};
pub use encoding::{fit_encoders, fit_encoders_to_shares};
pub use error::TrainerError;
pub use evaluate::{Evaluation, evaluate};
pub use folds::{FoldMetrics, FoldRow, FoldTable, fold_table};
pub use options::{DEFAULT_ALPHAS, TrainOptions};
pub use predict::predict;
pub use progress::{Progress, Stage};
pub use train::train;
