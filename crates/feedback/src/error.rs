//! Why the log of events cannot start, or its server stopped.

use counterweight_journal::JournalError;
use counterweight_serving::{ServingError, prometheus};

/// Why the log of events cannot start, or its server stopped.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// The log cannot start.
    #[error("the event log: {0}")]
    Log(#[from] JournalError),
    /// A metric cannot be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A listener, the transport or a background task failed.
    #[error(transparent)]
    Serving(#[from] ServingError),
}
