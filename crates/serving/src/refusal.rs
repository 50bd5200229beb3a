//! Why a call is ended before the service has answered it.

use std::{fmt, time::Duration};

use tonic::{Code, Status};

use crate::status::{status, with_retry};

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
pub const OVERLOADED: &str = "OVERLOADED";

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded { retry_after } => write!(
                formatter,
                "the server is overloaded and cannot answer in time; retry in {} ms",
                retry_after.as_millis()
            ),
            Self::Draining => formatter.write_str("the server is stopping; retry at another one"),
            Self::DeadlineExceeded => {
                formatter.write_str("the deadline of the call passed before the answer was ready")
            }
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let status = status(refusal.code(), &refusal.to_string(), refusal.reason(), []);
        match refusal {
            Refusal::Overloaded { retry_after } => with_retry(&status, retry_after),
            Refusal::Draining | Refusal::DeadlineExceeded => status,
        }
    }
}
