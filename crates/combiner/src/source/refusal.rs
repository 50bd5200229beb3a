//! Interprets the status of a model server: whose fault it is, and whether another server may
//! succeed.

use std::{error::Error, iter::successors, time::Instant};

use counterweight_proto::status_chain;
use tonic::{Code, Status};

use super::answer::SourceError;
use crate::error::{Failure, RequestError};

/// Converts the status of a failed call into an error of the objective. The call began at
/// `started`.
pub(super) fn read(objective: &str, status: &Status, started: Instant) -> SourceError {
    let reason = status_chain(status);
    match status.code() {
        Code::InvalidArgument => SourceError::from(RequestError::Refused {
            objective: objective.to_owned(),
            reason,
        }),
        // tonic's servers answer CANCELLED when the deadline of the call has passed.
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

/// Whether the local timer of the channel ended the call, without an answer from the server.
pub(super) fn timed_out_here(status: &Status) -> bool {
    let mut causes = successors(status.source(), |&cause: &&(dyn Error + 'static)| {
        cause.source()
    });
    causes.any(|cause| cause.is::<tonic::TimeoutExpired>())
}
