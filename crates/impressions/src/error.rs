//! Why a log is refused, with the facts that a person needs to correct it.

use std::path::PathBuf;

use counterweight_dataset::DatasetError;
use counterweight_model::ModelError;

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The description or its files.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A model could not score the log.
    #[error("model of `{objective}`: {source}")]
    Model {
        /// The model's objective.
        objective: String,
        /// What it refuses.
        source: ModelError,
    },
    /// The log as a whole lacks something.
    #[error("{log}: {problem}")]
    Log {
        /// Its name.
        log: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// One request of the log.
    #[error("{log}, request {request:?}: {problem}")]
    Request {
        /// The log's name.
        log: String,
        /// The request's id.
        request: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An option is out of its range.
    #[error("{name} is {value}; {expected}")]
    Option {
        /// The option.
        name: &'static str,
        /// What was given.
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
