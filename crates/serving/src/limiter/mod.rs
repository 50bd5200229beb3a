//! Admission by time: a request is let in when it can be answered before its deadline, and refused
//! at once when it cannot.
//!
//! [`decisions`] decides; this file gives it the clock, wakes those who wait, and shows the metrics.

mod concurrency;
mod decisions;
#[cfg(test)]
mod simulation_tests;
#[cfg(test)]
mod tests;

use std::{
    iter,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus::{IntGauge, Registry};
use tokio::{sync::oneshot, time::timeout_at};

use self::{
    concurrency::Start,
    decisions::{Core, Decision},
};
use crate::{Register, ServingError, refusal::Refusal};

pub(crate) use concurrency::Outcome;

/// Retry hints are kept within these bounds.
const SHORTEST_RETRY: Duration = Duration::from_millis(10);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// Admits requests; clones share the limit.
#[derive(Debug, Clone)]
pub(crate) struct Limiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    core: Mutex<Core<oneshot::Sender<Place>>>,
    in_progress: IntGauge,
    waiting: IntGauge,
    limit: IntGauge,
}

/// A request whose headers have arrived, until it asks for a place or is dropped.
#[derive(Debug)]
pub(crate) struct Announced {
    shared: Arc<Shared>,
    deadline: Option<Instant>,
    connection: u64,
    /// Whether it still counts as announced.
    counts: bool,
}

/// A place among the requests in progress, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    start: Start,
    ended: AtomicBool,
}

impl Limiter {
    /// At most `most` requests are in progress or wait, and `least` may always be in progress.
    /// `in_progress` shows how many are.
    ///
    /// # Errors
    /// A metric cannot be registered.
    pub(crate) fn new(
        least: usize,
        most: usize,
        in_progress: IntGauge,
        registry: &Registry,
    ) -> Result<Self, ServingError> {
        let register = Register(registry);
        let shared = Shared {
            core: Mutex::new(Core::new(least, most, Instant::now())),
            in_progress,
            waiting: register.gauge(
                "counterweight_requests_waiting",
                "Requests that wait until one in progress has ended.",
            )?,
            limit: register.gauge(
                "counterweight_requests_limit",
                "Requests that may be in progress at once; it follows their latency.",
            )?,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// Announces a request whose headers have arrived. It is refused when it could not be answered
    /// before its deadline even if its message were there now.
    pub(crate) fn announce(
        &self,
        deadline: Option<Instant>,
        connection: u64,
    ) -> Result<Announced, Refusal> {
        check_deadline(deadline)?;
        self.0
            .step(|core, now| core.announce(now, deadline, connection))
            .map_err(overloaded)?;
        Ok(Announced {
            shared: Arc::clone(&self.0),
            deadline,
            connection,
            counts: true,
        })
    }
}

impl Announced {
    /// Waits for a place as long as the request can still be answered in time.
    pub(crate) async fn acquire(mut self) -> Result<Place, Refusal> {
        let (deadline, connection) = (self.deadline, self.connection);
        check_deadline(deadline)?;
        let (sender, place) = oneshot::channel();
        self.counts = false;
        let decision = self.shared.step(|core, now| {
            core.withdraw(connection);
            core.arrive(now, deadline, connection, sender)
        });
        let (ticket, give_up) = match decision {
            Decision::Admitted(start) => return Ok(self.shared.place(start)),
            Decision::Refused(retry_after) => return Err(overloaded(retry_after)),
            Decision::Waiting {
                ticket,
                give_up,
                displaced,
            } => {
                // The request that made way learns of it by this.
                drop(displaced);
                (ticket, give_up)
            }
        };
        let waiting = Waiting {
            shared: &self.shared,
            connection,
            ticket,
            since: Instant::now(),
        };
        match timeout_at(give_up.into(), place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(overloaded(waiting.since.elapsed())),
        }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        if self.counts {
            self.shared.step(|core, _| core.withdraw(self.connection));
        }
    }
}

fn check_deadline(deadline: Option<Instant>) -> Result<(), Refusal> {
    match deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        true => Err(Refusal::DeadlineExceeded),
        false => Ok(()),
    }
}

fn overloaded(retry_after: Duration) -> Refusal {
    Refusal::Overloaded {
        retry_after: retry_after.clamp(SHORTEST_RETRY, LONGEST_RETRY),
    }
}

impl Shared {
    /// Takes one step of the core, shows what it has become, and wakes those who got a place.
    fn step<T>(
        self: &Arc<Self>,
        step: impl FnOnce(&mut Core<oneshot::Sender<Place>>, Instant) -> T,
    ) -> T {
        // Every step leaves the core valid, so a panic while it was locked does no harm.
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let value = step(&mut core, now);
        let granted: Vec<_> = iter::from_fn(|| core.grant(now)).collect();
        self.in_progress.set(gauge(core.in_progress()));
        self.waiting.set(gauge(core.waiting()));
        self.limit.set(gauge(core.limit()));
        drop(core);
        for (sender, start) in granted {
            // If the request has just gone away, its place is dropped and goes to the next.
            let _ = sender.send(self.place(start));
        }
        value
    }

    fn place(self: &Arc<Self>, start: Start) -> Place {
        Place {
            shared: Arc::clone(self),
            start,
            ended: AtomicBool::new(false),
        }
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A request in the waiting room. It leaves when this is dropped, also when its caller goes away.
struct Waiting<'a> {
    shared: &'a Arc<Shared>,
    connection: u64,
    ticket: u64,
    since: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared
            .step(|core, _| core.leave(self.connection, self.ticket));
    }
}

impl Place {
    /// Says how the request ended for its caller. The place stays taken until the work is over.
    pub(crate) fn end(&self, outcome: Outcome) {
        self.ended.store(true, Ordering::Relaxed);
        self.shared
            .step(|core, now| core.ended(now, self.start, outcome));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The time of work that was given up with its caller says nothing about the others.
        let counts = self.ended.load(Ordering::Relaxed);
        self.shared
            .step(|core, now| core.free(now, self.start, counts));
    }
}
