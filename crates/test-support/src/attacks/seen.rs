//! What an attacker saw.

use std::{collections::BTreeMap, fmt};

use counterweight_proto::code_name;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The end of one call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// The name of the gRPC code, or `RESET` for a stream that was reset.
    pub code: &'static str,
    /// The reason in the `google.rpc.ErrorInfo`; empty without one.
    pub reason: String,
}

impl Answer {
    /// A stream that the server reset.
    pub const RESET: &'static str = "RESET";

    /// A call that succeeded.
    #[must_use]
    pub fn ok() -> Self {
        Self {
            code: code_name(Code::Ok),
            reason: String::new(),
        }
    }

    /// True for an answer that no message may get: a fault of the server, or an error that does
    /// not say what is wrong.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        let faults = [Code::Internal, Code::Unknown, Code::DataLoss].map(code_name);
        let explained = self.code == code_name(Code::Ok) || !self.reason.is_empty();
        self.code == Self::RESET || faults.contains(&self.code) || !explained
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        let info = status.get_details_error_info();
        Self {
            code: code_name(status.code()),
            reason: info.map(|info| info.reason).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.is_empty() {
            true => formatter.write_str(self.code),
            false => write!(formatter, "{} {}", self.code, self.reason),
        }
    }
}

/// What an attack saw over all its connections.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Calls by how they ended.
    pub answers: BTreeMap<Answer, u64>,
    /// Calls that the attacker cancelled.
    pub cancelled: u64,
    /// Connections that could not be opened, or that the server closed.
    pub closed: u64,
}

impl Seen {
    /// Counts the end of a call. False when the connection ended with it.
    pub(super) fn record(&mut self, outcome: Result<Answer, h2::Error>) -> bool {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) if error.is_reset() => Answer {
                code: Answer::RESET,
                reason: error
                    .reason()
                    .map(|it| format!("{it:?}"))
                    .unwrap_or_default(),
            },
            Err(_) => {
                self.closed += 1;
                return false;
            }
        };
        *self.answers.entry(answer).or_default() += 1;
        true
    }

    /// Adds what another connection saw.
    pub(super) fn add(&mut self, other: Self) {
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
        self.cancelled += other.cancelled;
        self.closed += other.closed;
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (answer, count) in &self.answers {
            write!(formatter, "{count} × {answer}, ")?;
        }
        write!(
            formatter,
            "{} cancelled, {} connections refused or closed",
            self.cancelled, self.closed
        )
    }
}
