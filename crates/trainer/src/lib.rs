//! Trains the model of one objective from a log: encodes, fits, calibrates, measures and writes the artefact.
//!
//! [`train`] is the whole of it, in order. [`evaluate`] measures a trained model on a dataset, [`predict`] writes a
//! probability for every row, [`train_combined`] trains one model on a weighted sum of two losses, and [`fold_table`] says how well the recipe does when everything in it is refitted per fold.
//!
//! Nothing here prints. Long work reports through a callback that takes [`Progress`]. The same seed and data give
//! the same bytes, on any number of threads.

mod calibrate;
mod card;
mod combined;
mod error;
mod evaluate;
pub mod fit;
mod folds;
mod learn;
mod measure;
mod predict;
mod progress;
mod search;
mod targets;
mod train;

pub use calibrate::Calibration;
pub use combined::{Combined, train_combined};
pub use error::TrainerError;
pub use evaluate::{Evaluation, evaluate};
pub use folds::{FoldMetrics, FoldRow, FoldTable, fold_table};
pub use predict::predict;
pub use progress::{Progress, Stage};
pub use search::DEFAULT_ALPHAS;
pub use train::{TrainOptions, train};
