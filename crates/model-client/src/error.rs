//! Why a model gives no probabilities: a mistake of the caller, or a failure of the model.

use std::time::Duration;

use counterweight_tensor::TensorError;

/// What is wrong with a request's candidates or features.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// No candidates.
    #[error("candidate_ids is empty; send at least one candidate")]
    NoCandidates,
    /// An empty candidate id.
    #[error("candidate_ids[{index}] is empty; every candidate needs an id")]
    EmptyCandidateId {
        /// Position, from 0.
        index: usize,
    },
    /// A candidate id twice.
    #[error(
        "candidate id {id:?} is sent twice (the second time at {index}); send each candidate once"
    )]
    DuplicateCandidate {
        /// The id.
        id: String,
        /// Position of the repetition, from 0.
        index: usize,
    },
    /// A tensor is malformed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A column is neither as long as the candidates nor a context column.
    #[error(
        "feature {feature:?} has {rows} rows for {candidates} candidates; send {candidates} rows{hint}"
    )]
    Ragged {
        /// The feature.
        feature: String,
        /// Its rows.
        rows: usize,
        /// The candidates.
        candidates: usize,
        /// When one row is not allowed, why.
        hint: String,
    },
    /// An infinite number.
    #[error(
        "feature {feature:?}, row {row}: the value is infinite; send a finite number, or NaN where it is missing"
    )]
    Infinite {
        /// The feature.
        feature: String,
        /// The row, from 0.
        row: usize,
    },
    /// An objective needs a feature that was not sent.
    #[error("objective {objective:?} needs feature {feature:?}, which was not sent")]
    MissingFeature {
        /// The objective.
        objective: String,
        /// The feature.
        feature: String,
    },
    /// A value of a probability column is not a probability.
    #[error(
        "objective {objective:?}: column {feature:?}, row {row}, is {value}; send a probability between 0 and 1"
    )]
    NotAProbability {
        /// The objective.
        objective: String,
        /// The column.
        feature: String,
        /// The row, from 0.
        row: usize,
        /// What was sent.
        value: f64,
    },
    /// A feature that must be numeric is not, or it has too many columns.
    #[error("objective {objective:?}: feature {feature:?} {problem}")]
    WrongFeature {
        /// The objective.
        objective: String,
        /// The feature.
        feature: String,
        /// What is wrong and what to send.
        problem: String,
    },
    /// The model refuses the request's features.
    #[error("objective {objective:?}: the model refuses the features: {reason}")]
    Refused {
        /// The objective.
        objective: String,
        /// What the model said.
        reason: String,
    },
}

/// How a model failed. A mistake of the caller is not a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It cannot be reached.
    #[error("the model is unavailable: {0}")]
    Unavailable(String),
    /// No server has the model, or the version that is asked for.
    #[error("the model is not served: {0}")]
    NotServed(String),
    /// It answered that it failed.
    #[error("the model failed: {0}")]
    Failed(String),
    /// It did not answer in time.
    #[error("the model did not answer within {0} ms")]
    TimedOut(u128),
    /// It has too much to do to answer.
    #[error("the model is overloaded: {reason}; retry in {} ms", retry_after.as_millis())]
    Overloaded {
        /// What it said.
        reason: String,
        /// When the request may come again.
        retry_after: Duration,
    },
    /// It answered with something that is not one probability per candidate.
    #[error("the model's answer is wrong: {0}")]
    WrongAnswer(String),
}

impl Failure {
    /// True when the same request may succeed later. A model that answers wrongly will do so again.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        !matches!(self, Self::WrongAnswer(_))
    }

    /// A short name, for metrics and `google.rpc.ErrorInfo`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            // To a caller it is the same.
            Self::Unavailable(_) | Self::NotServed(_) => "MODEL_UNAVAILABLE",
            Self::Failed(_) => "MODEL_FAILED",
            Self::TimedOut(_) => "MODEL_TIMED_OUT",
            Self::Overloaded { .. } => "MODEL_OVERLOADED",
            Self::WrongAnswer(_) => "MODEL_WRONG_ANSWER",
        }
    }
}

/// Why a model gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The request is wrong.
    #[error(transparent)]
    Input(Box<InputError>),
    /// The model has failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// No server has the version that was pinned.
    #[error("version {version:?} of model {model:?} is not served: {reason}")]
    PinnedVersionGone {
        /// The model's name on its server.
        model: String,
        /// The pinned version.
        version: String,
        /// What the servers said.
        reason: String,
    },
    /// A task of this process died.
    #[error("internal error: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

impl From<InputError> for ModelError {
    fn from(error: InputError) -> Self {
        Self::Input(Box::new(error))
    }
}

/// An endpoint is not an address.
#[derive(Debug, thiserror::Error)]
#[error(
    "{uri:?} is not the address of a model server; write \"http://host:port\" or \"unix:/path\""
)]
pub struct NotAnAddress {
    /// The endpoint.
    pub uri: String,
}
