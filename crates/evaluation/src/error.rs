//! Why an evaluation refuses a log, an option or a question, and what to do about it.

use std::path::PathBuf;

use counterweight_impressions::LogError;
use counterweight_ranking::RankingError;

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The log cannot be read, or lacks what a question needs.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The sweep or an estimator refuses the log.
    #[error("{subject}: {source}")]
    Ranking {
        /// The log.
        subject: String,
        /// What is refused.
        source: RankingError,
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
    /// A result could not be written.
    #[error("cannot write {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// What a sweep or an estimator refuses of this log.
pub(crate) fn wrong(log: &str, source: RankingError) -> EvaluationError {
    EvaluationError::Ranking {
        subject: log.to_owned(),
        source,
    }
}
