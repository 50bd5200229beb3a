//! What every gate of a server shares: its life, its limits and its memory.

use std::sync::Arc;

use counterweight_proto::Contracts;
use prometheus::{IntCounterVec, Registry};
use tokio::sync::Semaphore;
use tonic::Status;

use crate::{
    Lifecycle, Limits, Register, ServingError, budget::Budget, peer::Peer, refusal::Refusal,
};

/// What every gate of a server shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) contracts: Contracts,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    /// A permit for each open stream.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) registry: Registry,
    refusals: IntCounterVec,
}

impl Shared {
    /// Checks the limits, and shows them in the log and in the metrics.
    pub(crate) fn new(
        descriptors: &[&[u8]],
        registry: &Registry,
        mut limits: Limits,
    ) -> Result<Self, ServingError> {
        limits.check()?;
        limits.fit_to_process();
        limits.publish(registry)?;
        let charged = Register(registry).gauge(
            "counterweight_memory_charged_bytes",
            "Memory that requests and answers take, of the limit memory_budget.",
        )?;
        let refusals = Register(registry).counters(
            "counterweight_refusals_total",
            "Calls that were ended before their service answered, by reason.",
            &["reason"],
        )?;
        Ok(Self {
            lifecycle: Lifecycle::default(),
            contracts: Contracts::from_descriptors(descriptors)?,
            // What is charged is what the allocator is asked for; a fifth is left for what it
            // takes beyond that.
            budget: Budget::new(limits.memory_budget / 5 * 4, charged),
            streams: Arc::new(Semaphore::new(
                limits.max_streams.min(Semaphore::MAX_PERMITS),
            )),
            limits,
            registry: registry.clone(),
            refusals,
        })
    }

    /// A connection with nothing charged to it.
    pub(crate) fn new_peer(&self) -> Peer {
        Peer::new(&self.budget, self.limits.send_timeout)
    }

    /// Counts a refusal, and makes its answer.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Status {
        self.refusals.with_label_values(&[refusal.reason()]).inc();
        Status::from(refusal)
    }
}
