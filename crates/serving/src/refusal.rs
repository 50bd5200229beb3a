//! Why a call is ended before the service has answered it.

use std::time::Duration;

use tonic::{Code, Status};

use crate::status::{retryable_status, status};

/// Why the gate ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The call could not be answered before its deadline.
    Overloaded {
        /// When it may come again.
        retry_after: Duration,
    },
    /// The server is stopping.
    Draining,
    /// The caller's deadline has passed.
    DeadlineExceeded,
}

impl Refusal {
    /// The gRPC code of the answer.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Overloaded { .. } => Code::ResourceExhausted,
            Self::Draining => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
        }
    }

    /// The reason in the `google.rpc.ErrorInfo` of the answer.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Overloaded { .. } => OVERLOADED,
            Self::Draining => "DRAINING",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
        }
    }
}

/// The reason of every answer that a server gives because it, or one behind it, has too much to do.
pub(crate) const OVERLOADED: &str = "OVERLOADED";

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let (code, reason) = (refusal.code(), refusal.reason());
        match refusal {
            Refusal::Overloaded { retry_after } => {
                let milliseconds = retry_after.as_millis();
                retryable_status(
                    code,
                    &format!(
                        "the server is overloaded and cannot answer in time; retry in \
                         {milliseconds} ms"
                    ),
                    reason,
                    retry_after,
                )
            }
            Refusal::Draining => status(
                code,
                "the server is stopping; retry at another one",
                reason,
                [],
            ),
            Refusal::DeadlineExceeded => status(
                code,
                "the deadline of the call passed before the answer was ready",
                reason,
                [],
            ),
        }
    }
}
