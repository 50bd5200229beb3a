//! Interprets the status of a model server: whose fault it is, and whether another server may
//! succeed.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use counterweight_proto::status_chain;
use counterweight_serving::{DOMAIN, OVERLOADED};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::error::{Failure, InputError, ModelError};

/// When a caller may come again whose model does not say when.
const RETRY: Duration = Duration::from_millis(100);
/// The reasons with which our own servers refuse a call that they would accept with less to do.
const OVERLOAD: [&str; 2] = [OVERLOADED, "OVER_MEMORY_BUDGET"];

/// A refused call as an error of the objective; the call was begun at `started`.
pub(crate) fn read(objective: &str, status: &Status, started: Instant) -> ModelError {
    let reason = status_chain(status);
    match status.code() {
        Code::InvalidArgument => ModelError::from(InputError::Refused {
            objective: objective.to_owned(),
            reason,
        }),
        // tonic's servers answer CANCELLED when the deadline of the call has passed.
        Code::DeadlineExceeded | Code::Cancelled => {
            ModelError::Failed(Failure::TimedOut(started.elapsed().as_millis()))
        }
        Code::ResourceExhausted if is_overload(status) => {
            let hint = status.get_details_retry_info();
            ModelError::Failed(Failure::Overloaded {
                reason,
                retry_after: hint.and_then(|hint| hint.retry_delay).unwrap_or(RETRY),
            })
        }
        _ => ModelError::Failed(Failure::Failed(reason)),
    }
}

/// Whether a server that is out of some resource has too much to do. Ours say so by the reason; a
/// request that is too large for a server says nothing about its load.
fn is_overload(status: &Status) -> bool {
    let info = status.get_details_error_info();
    info.is_none_or(|info| info.domain != DOMAIN || OVERLOAD.contains(&info.reason.as_str()))
}

/// Whether another server may answer: scoring changes nothing, so a call that may not have arrived
/// is made again elsewhere, and so is one to a server that does not have the model yet.
pub(crate) fn another_may_answer(status: &Status) -> bool {
    let never_arrived = status.source().is_some();
    matches!(status.code(), Code::Unavailable | Code::NotFound) || never_arrived
}
