//! Why a call is ended before its service has answered it.

use std::{fmt, time::Duration};

use counterweight_proto::Malformed;
use tonic::{Code, Status};

use crate::status::{status, with_retry};

/// The reason of every answer that a server gives because it, or one behind it, has too much to do.
pub const OVERLOADED: &str = "OVERLOADED";

/// Why the gate ended a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The call could not be answered before its deadline.
    Overloaded {
        /// When it may come again.
        retry_after: Duration,
    },
    /// As many streams are open as the limit allows.
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
    /// The memory of the server, or the caller's share of it, is in use.
    OverMemoryBudget,
    /// The message is longer than the limit, or would take more memory than the limit.
    MessageTooLarge {
        /// What is limited.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The message cannot be decoded.
    Malformed {
        /// The path of the field; empty when the whole message is meant.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// The request did not arrive in time.
    ReadTimeout {
        /// The limit.
        limit: Duration,
    },
    /// The caller broke the request off.
    BrokenOff,
    /// The server is stopping.
    Draining,
    /// The caller's deadline has passed.
    DeadlineExceeded,
}

impl Refusal {
    /// The gRPC code of the answer.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Overloaded { .. }
            | Self::TooManyStreams { .. }
            | Self::OverMemoryBudget
            | Self::MessageTooLarge { .. } => Code::ResourceExhausted,
            Self::Malformed { .. } => Code::InvalidArgument,
            Self::BrokenOff => Code::Cancelled,
            Self::Draining => Code::Unavailable,
            Self::ReadTimeout { .. } | Self::DeadlineExceeded => Code::DeadlineExceeded,
        }
    }

    /// The reason in the `google.rpc.ErrorInfo` of the answer, and the label of the metric.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => OVERLOADED,
            Self::TooManyStreams { .. } => "TOO_MANY_STREAMS",
            Self::OverMemoryBudget => "OVER_MEMORY_BUDGET",
            Self::MessageTooLarge { .. } => "MESSAGE_TOO_LARGE",
            Self::Malformed { .. } => "MALFORMED_MESSAGE",
            Self::ReadTimeout { .. } => "READ_TIMEOUT",
            Self::BrokenOff => "BROKEN_OFF",
            Self::Draining => "DRAINING",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
        }
    }

    /// A message that is wrong as a whole.
    pub(crate) fn malformed(problem: &str) -> Self {
        Self::Malformed {
            field: String::new(),
            problem: problem.to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded { retry_after } => write!(
                formatter,
                "the server is overloaded and cannot answer in time; retry in {} ms",
                retry_after.as_millis()
            ),
            Self::TooManyStreams { limit } => write!(
                formatter,
                "{limit} streams are open, which is the limit; close some or retry later"
            ),
            Self::OverMemoryBudget => formatter.write_str(
                "the memory that this server has for requests, or your connection's share of it, \
                 is in use; retry later, and read your answers",
            ),
            Self::MessageTooLarge { what, limit } => write!(
                formatter,
                "the message is above {what} = {limit} bytes; send a smaller one"
            ),
            Self::Malformed { problem, .. } => {
                write!(formatter, "the message is malformed: {problem}")
            }
            Self::ReadTimeout { limit } => write!(
                formatter,
                "the request did not arrive within {limit:?}; send it faster"
            ),
            Self::BrokenOff => formatter.write_str("the caller broke the request off"),
            Self::Draining => formatter.write_str("the server is stopping; retry at another one"),
            Self::DeadlineExceeded => {
                formatter.write_str("the deadline of the call passed before the answer was ready")
            }
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed {
            field: malformed.field(),
            problem: malformed.to_string(),
        }
    }
}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        let metadata = match refusal {
            Refusal::TooManyStreams { limit } => vec![("limit", limit.to_string())],
            Refusal::MessageTooLarge { what, limit } => {
                vec![
                    ("setting", (*what).to_owned()),
                    ("limit", limit.to_string()),
                ]
            }
            Refusal::Malformed { field, .. } => vec![("field", field.clone())],
            _ => Vec::new(),
        };
        let status = status(
            refusal.code(),
            &refusal.to_string(),
            refusal.reason(),
            metadata,
        );
        match refusal {
            Refusal::Overloaded { retry_after } => with_retry(&status, *retry_after),
            _ => status,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}
