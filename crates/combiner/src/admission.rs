//! Lets a request in before its body is read, or turns it away at once: a server that queues has no latency to promise.

use std::{sync::Arc, time::Instant};

use counterweight_telemetry::prometheus::IntCounter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, service::Interceptor};

use crate::error::RequestError;

/// A place among the requests in flight, kept until it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    arrival: Instant,
    _place: Arc<OwnedSemaphorePermit>,
}

impl Admission {
    /// When the request's headers arrived.
    pub(crate) fn arrival(&self) -> Instant {
        self.arrival
    }
}

/// The gate in front of ranking.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    limit: usize,
    overloaded: IntCounter,
    draining: CancellationToken,
}

impl Gate {
    /// A gate for `limit` requests at once.
    pub(crate) fn new(limit: usize, overloaded: IntCounter, draining: CancellationToken) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            limit,
            overloaded,
            draining,
        }
    }
}

impl Interceptor for Gate {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if self.draining.is_cancelled() {
            return Err(RequestError::Draining.into());
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            self.overloaded.inc();
            RequestError::Overloaded { limit: self.limit }
        })?;
        request.extensions_mut().insert(Admission {
            arrival: Instant::now(),
            _place: Arc::new(place),
        });
        Ok(request)
    }
}
