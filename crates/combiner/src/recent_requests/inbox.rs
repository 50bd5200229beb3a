//! The queue into which Rank puts the requests of one profile.
//!
//! Nothing here waits for the worker, which runs at the lowest priority and so may be preempted at
//! any time: the inbox is a lock-free queue, and counters keep its bound.

use std::sync::{
    atomic::{
        AtomicU32, AtomicUsize,
        Ordering::{AcqRel, Relaxed},
    },
    mpsc::{Receiver, Sender, channel},
};

use super::{
    record::{Ids, Recent},
    sample::SamplingKey,
};
use crate::{metrics::RecentRequestsMetrics, ranking::Ranking};

/// Requests in an inbox that wake the worker.
const WAKE: usize = 256;

/// The inbox of one profile, as Rank sees it.
#[derive(Debug)]
pub(super) struct Inbox {
    /// Upper bound on what is queued, in candidates.
    bound: usize,
    /// How many halvings of the rate a request has to survive.
    halvings: AtomicU32,
    queue: Sender<Waiting>,
    /// Lower bound on the number of queued requests.
    count: AtomicUsize,
    /// Candidates that are queued or about to be.
    size: AtomicUsize,
    pub(super) metrics: RecentRequestsMetrics,
}

/// A request to keep.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sampled: Sampled,
    pub(super) ranking: Ranking,
}

/// The parts of a ranking that are copied before its answer takes the ids away.
#[derive(Debug)]
pub(crate) struct Sampled {
    pub(super) key: SamplingKey,
    /// Milliseconds since the recent requests began to be kept.
    pub(super) at_ms: u64,
    /// Milliseconds since 1970.
    pub(super) time_ms: u64,
    /// In candidates.
    pub(super) size: usize,
    pub(super) ids: Ids,
}

impl Inbox {
    /// An empty inbox, and the worker's end of its queue.
    pub(super) fn new(bound: usize, metrics: RecentRequestsMetrics) -> (Self, Receiver<Waiting>) {
        let (queue, waiting) = channel();
        let inbox = Self {
            bound,
            halvings: AtomicU32::new(0),
            queue,
            count: AtomicUsize::new(0),
            size: AtomicUsize::new(0),
            metrics,
        };
        (inbox, waiting)
    }

    /// Queues a request, or drops and counts it when the inbox is full. Returns true when the
    /// worker should be woken.
    pub(super) fn put(&self, waiting: Waiting) -> bool {
        let size = waiting.sampled.size;
        let before = self.size.fetch_add(size, Relaxed);
        if before.saturating_add(size) > self.bound || self.queue.send(waiting).is_err() {
            self.size.fetch_sub(size, Relaxed);
            self.metrics.dropped.inc();
            return false;
        }
        let count = self.count.fetch_add(1, AcqRel) + 1;
        count >= WAKE || before + size >= self.bound / 8
    }

    /// Takes out what was queued when this was called.
    pub(super) fn take<'a>(
        &'a self,
        queue: &'a Receiver<Waiting>,
    ) -> impl Iterator<Item = Waiting> + 'a {
        // Requests are counted after they are queued, so every counted one can be taken.
        let count = self.count.swap(0, AcqRel);
        queue.try_iter().take(count).inspect(|waiting| {
            self.size.fetch_sub(waiting.sampled.size, Relaxed);
        })
    }

    /// Updates the metrics of the profile from its sample.
    pub(super) fn measure(&self, recent: &Recent) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.requests.set(gauge(recent.len()));
        self.metrics.candidates.set(gauge(recent.size()));
        self.metrics.share.set(recent.share());
    }

    /// Sets the rate at which requests are sampled from now on.
    pub(super) fn set_halvings(&self, halvings: u32) {
        self.halvings.store(halvings, Relaxed);
    }

    pub(super) fn halvings(&self) -> u32 {
        self.halvings.load(Relaxed)
    }
}
