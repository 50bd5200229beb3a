//! What a status of a model server means: whose fault it is, and whether another server may do
//! better.

use std::{error::Error, iter::successors, time::Instant};

use tonic::{Code, Status};

use super::answer::SourceError;
use crate::error::{Failure, RequestError};

/// A refused call as an error of the objective; the call was begun at `started`.
pub(super) fn read(objective: &str, status: &Status, started: Instant) -> SourceError {
    let reason = text(status);
    match status.code() {
        Code::InvalidArgument => SourceError::from(RequestError::Refused {
            objective: objective.to_owned(),
            reason,
        }),
        // tonic's servers say CANCELLED when the time that the call gave them is over.
        Code::DeadlineExceeded | Code::Cancelled => {
            SourceError::Failed(Failure::TimedOut(started.elapsed().as_millis()))
        }
        Code::ResourceExhausted => SourceError::Failed(Failure::Overloaded(reason)),
        _ => SourceError::Failed(Failure::Failed(reason)),
    }
}

/// Whether another server may answer: scoring changes nothing, so a call that may not have arrived
/// is made again elsewhere, and so is one to a server that does not have the model yet.
pub(super) fn another_may_answer(status: &Status) -> bool {
    let never_arrived = status.source().is_some();
    matches!(status.code(), Code::Unavailable | Code::NotFound) || never_arrived
}

/// Whether the timer of the channel ended the call, without a word from the server.
pub(super) fn timed_out_here(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<tonic::TimeoutExpired>())
}

/// What a status says, with the causes that tonic keeps apart.
pub(super) fn text(status: &Status) -> String {
    let mut text = status.message().to_owned();
    for cause in causes(status) {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
    }
    if text.is_empty() {
        format!("{:?}", status.code())
    } else {
        text
    }
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    successors(status.source(), |&cause| cause.source())
}
