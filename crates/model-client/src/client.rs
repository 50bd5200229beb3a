//! Calls one model: first at the next endpoint in turn, then at the others when it cannot be
//! reached.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use counterweight_proto::status_chain;
use counterweight_serving::Call;
use tokio::time::timeout_at;
use tonic::{Code, Response, Status};
use tracing::Instrument as _;

use crate::{
    endpoints::{Endpoint, Endpoints},
    error::{Failure, InputError, ModelError, NotAnAddress},
    health::Outcome,
    refusal,
    source::ModelSource,
};

/// How much longer than the deadline a call waits for the server's answer to it.
const GRACE: Duration = Duration::from_millis(250);

/// What calls to one model need.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) objective: String,
    pub(crate) config: ModelSource,
    /// The largest message to and from the model.
    pub(crate) max_message_bytes: usize,
    endpoints: Arc<Endpoints>,
}

/// The end of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// Whether it comes from the model's own timeout, rather than from the caller's deadline.
    own_timeout: bool,
}

impl Deadline {
    /// A deadline that the caller sets.
    pub(crate) fn from_caller(at: Instant) -> Self {
        Self {
            at,
            own_timeout: false,
        }
    }
}

impl Client {
    /// Prepares the channels; connects to nothing yet.
    pub(crate) fn new(
        objective: &str,
        source: &ModelSource,
        max_message_bytes: usize,
    ) -> Result<Self, NotAnAddress> {
        let endpoints = Endpoints::new(&source.endpoints, source.timeout, max_message_bytes)?;
        Ok(Self {
            objective: objective.to_owned(),
            config: source.clone(),
            max_message_bytes,
            endpoints: Arc::new(endpoints),
        })
    }

    /// The deadline of a call: the model's timeout, or the caller's deadline when that is earlier.
    pub(crate) fn deadline(&self, call: &Call) -> Deadline {
        let own = Instant::now() + self.config.timeout;
        let at = call.until(self.config.timeout);
        Deadline {
            at,
            own_timeout: at >= own,
        }
    }

    /// That deadline, or the model's timeout from now on when it is earlier.
    pub(crate) fn within(&self, deadline: Deadline) -> Deadline {
        let own = Instant::now() + self.config.timeout;
        if own > deadline.at {
            return deadline;
        }
        Deadline {
            at: own,
            own_timeout: true,
        }
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Makes one call, and says which endpoint answered.
    ///
    /// `attempt` prepares the call to one endpoint. A call that was sent runs to its own end in a
    /// task, whether or not the caller goes away: many callers share a connection, and a server
    /// closes a connection on which too many calls are reset.
    pub(crate) async fn call<T, F, A>(
        &self,
        deadline: Deadline,
        attempt: F,
    ) -> Result<(T, Arc<Endpoint>), ModelError>
    where
        T: Send + 'static,
        F: Fn(Arc<Endpoint>) -> Result<A, InputError>,
        A: Future<Output = Result<Response<T>, Status>> + Send + 'static,
    {
        let started = Instant::now();
        let timed_out = || ModelError::Failed(Failure::TimedOut(started.elapsed().as_millis()));
        let until = deadline.at.into();
        let in_turn = timeout_at(until, self.endpoints.next_endpoints()).await;
        let order = in_turn
            .map_err(|_| timed_out())?
            .map_err(|reason| ModelError::Failed(Failure::Unavailable(reason)))?;
        let mut last = None;
        let mut not_found = true;
        for endpoint in order {
            let began = Instant::now();
            let report = |outcome| self.endpoints.report(&endpoint, outcome, began);
            // The server has the deadline too. Its own answer at the deadline ends the call without
            // a reset, so the task waits a little longer for it.
            let call = timeout_at(until + GRACE, attempt(Arc::clone(&endpoint))?);
            let call = tokio::spawn(call.in_current_span());
            let outcome = match timeout_at(until, call).await {
                Ok(Ok(Ok(outcome))) => outcome,
                Ok(Err(ended)) if ended.is_cancelled() => {
                    let reason = "this process is stopping".to_owned();
                    return Err(Failure::Unavailable(reason).into());
                }
                Ok(Err(panic)) => {
                    let what = panic.to_string();
                    return Err(ModelError::Internal { what });
                }
                Ok(Ok(Err(_))) | Err(_) => {
                    report(Outcome::Silent {
                        own_timeout: deadline.own_timeout,
                    });
                    return Err(timed_out());
                }
            };
            match outcome {
                Ok(answer) => {
                    report(Outcome::Answered);
                    return Ok((answer.into_inner(), endpoint));
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
        Err(ModelError::Failed(if not_found {
            Failure::NotServed(reason)
        } else {
            Failure::Unavailable(reason)
        }))
    }
}
