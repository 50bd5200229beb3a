//! Why a log is refused, with the facts that are needed to correct it.

use std::path::PathBuf;

use counterweight_dataset::DatasetError;
use counterweight_model::ModelError;

/// What is wrong with a log, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The description or its files are invalid.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A model cannot score the log.
    #[error("model of `{objective}`: {source}")]
    Model {
        /// The model's objective.
        objective: String,
        /// Why it cannot.
        source: ModelError,
    },
    /// The log as a whole is invalid or incomplete.
    #[error("{log}: {problem}")]
    Log {
        /// The log's name.
        log: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// One request of the log is invalid.
    #[error("{log}, request {request:?}: {problem}")]
    Request {
        /// The log's name.
        log: String,
        /// The request's id.
        request: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An option is out of its range.
    #[error("{name} is {value}; {expected}")]
    Option {
        /// The option.
        name: &'static str,
        /// The given value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A log could not be written.
    #[error("cannot write {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}
