//! What a status of a model server means: whose fault it is, and whether another server may do better.

use std::time::Instant;

use tonic::{Code, Status};

use super::SourceError;
use crate::error::{Failure, RequestError};

/// A refused call as an error of the objective; the call was begun at `started`.
pub(super) fn read(objective: &str, status: &Status, started: Instant) -> SourceError {
    if timed_out(status) {
        return SourceError::Failed(Failure::TimedOut(started.elapsed().as_millis()));
    }
    let reason = told(status);
    match status.code() {
        Code::InvalidArgument => SourceError::Request(RequestError::Refused {
            objective: objective.to_owned(),
            reason,
        }),
        Code::ResourceExhausted => SourceError::Failed(Failure::Overloaded(reason)),
        _ => SourceError::Failed(Failure::Failed(reason)),
    }
}

/// Scoring changes nothing, so a call that may not have arrived is made again elsewhere; so is one to a server that does
/// not have the model (yet).
pub(super) fn another_may_answer(status: &Status) -> bool {
    let never_arrived = std::error::Error::source(status).is_some() && !timed_out(status);
    matches!(status.code(), Code::Unavailable | Code::NotFound) || never_arrived
}

/// Whether the call ran out of time, here or there; tonic says CANCELLED for either.
fn timed_out(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    let expired_there = cause.is_none() && status.code() == Code::Cancelled;
    while let Some(error) = cause {
        if error.is::<tonic::TimeoutExpired>() {
            return true;
        }
        cause = error.source();
    }
    expired_there || status.code() == Code::DeadlineExceeded
}

/// What a status says, with the causes that tonic keeps apart.
pub(super) fn told(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    if text.is_empty() {
        format!("{:?}", status.code())
    } else {
        text
    }
}
