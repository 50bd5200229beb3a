//! Calls one model: first at the next endpoint in turn, then at the others when it cannot be
//! reached.

use std::{future::Future, sync::Arc, time::Instant};

use counterweight_proto::status_chain;
use counterweight_serving::Call;
use tokio::time::timeout_at;
use tonic::{Code, Response, Status};

use super::{
    answer::SourceError,
    endpoints::{Endpoint, Endpoints},
    health::Outcome,
    refusal,
};
use crate::{
    config::ModelSource,
    error::{CombinerError, Failure, RequestError},
};

/// The state for calls to one model.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) objective: String,
    pub(super) config: ModelSource,
    endpoints: Arc<Endpoints>,
}

/// The end of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    /// Whether it comes from the model's own timeout, rather than from the caller's deadline.
    own_timeout: bool,
}

impl Deadline {
    /// A deadline that the caller sets.
    pub(super) fn from_caller(at: Instant) -> Self {
        Self {
            at,
            own_timeout: false,
        }
    }
}

impl Client {
    /// Prepares the channels; connects to nothing yet.
    pub(super) fn new(
        objective: &str,
        source: &ModelSource,
        max_message_bytes: usize,
    ) -> Result<Self, CombinerError> {
        let endpoints = Endpoints::new(&source.endpoints, source.timeout, max_message_bytes)?;
        Ok(Self {
            objective: objective.to_owned(),
            config: source.clone(),
            endpoints: Arc::new(endpoints),
        })
    }

    /// The deadline of a call: the model's timeout, or the caller's deadline when that is earlier.
    pub(super) fn deadline(&self, call: &Call) -> Deadline {
        let own = Instant::now() + self.config.timeout;
        let at = call.until(self.config.timeout);
        Deadline {
            at,
            own_timeout: at >= own,
        }
    }

    /// That deadline, or the model's timeout from now on when it is earlier.
    pub(super) fn within(&self, deadline: Deadline) -> Deadline {
        let own = Instant::now() + self.config.timeout;
        if own > deadline.at {
            return deadline;
        }
        Deadline {
            at: own,
            own_timeout: true,
        }
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Makes one call, and says which endpoint answered.
    pub(super) async fn call<T, F, A>(
        &self,
        deadline: Deadline,
        attempt: F,
    ) -> Result<(T, Arc<Endpoint>), SourceError>
    where
        F: Fn(Arc<Endpoint>) -> A,
        A: Future<Output = Result<Result<Response<T>, Status>, RequestError>>,
    {
        let started = Instant::now();
        let timed_out = || SourceError::Failed(Failure::TimedOut(started.elapsed().as_millis()));
        let until = deadline.at.into();
        let in_turn = timeout_at(until, self.endpoints.next_endpoints()).await;
        let order = in_turn
            .map_err(|_| timed_out())?
            .map_err(|reason| SourceError::Failed(Failure::Unavailable(reason)))?;
        let silent = Outcome::Silent {
            own_timeout: deadline.own_timeout,
        };
        let mut last = None;
        let mut not_found = true;
        for endpoint in order {
            let began = Instant::now();
            let report = |outcome| self.endpoints.report(&endpoint, outcome, began);
            let Ok(outcome) = timeout_at(until, attempt(Arc::clone(&endpoint))).await else {
                report(silent);
                return Err(timed_out());
            };
            match outcome? {
                Ok(answer) => {
                    report(Outcome::Answered);
                    return Ok((answer.into_inner(), endpoint));
                }
                // The timer of the channel has the same deadline as this one, and may fire first.
                Err(status) if refusal::timed_out_here(&status) => {
                    report(silent);
                    return Err(timed_out());
                }
                Err(status) if refusal::another_may_answer(&status) => {
                    let found = status.code() != Code::NotFound;
                    report(match found {
                        true => Outcome::Unreachable,
                        false => Outcome::Answered,
                    });
                    not_found &= !found;
                    last = Some(format!("{}: {}", endpoint.address, status_chain(&status)));
                }
                Err(status) => {
                    report(Outcome::Answered);
                    return Err(refusal::read(&self.objective, &status, started));
                }
            }
        }
        let reason = last.unwrap_or_default();
        Err(SourceError::Failed(if not_found {
            Failure::NotServed(reason)
        } else {
            Failure::Unavailable(reason)
        }))
    }
}
