//! Where the requests of one profile come in. Nothing here waits for the worker, which may be off the processor at any time, since its priority is
//! the lowest: the inbox is a queue without a lock, and a bound on it is kept by counting.

use std::sync::{
    atomic::{
        AtomicU32, AtomicUsize,
        Ordering::{AcqRel, Relaxed},
    },
    mpsc::{Receiver, Sender, channel},
};

use super::{Recent, Sampled};
use crate::{metrics::RingMetrics, rank::Ranking};

/// Requests in an inbox before the worker is woken.
const WAKE: usize = 256;

/// Rank's side.
#[derive(Debug)]
pub(super) struct Door {
    /// What may wait at most, in candidates.
    bound: usize,
    /// How many halvings of the rate a request has to survive.
    halvings: AtomicU32,
    inbox: Sender<Waiting>,
    /// What surely waits.
    count: AtomicUsize,
    /// In candidates: of what waits, and of what is about to.
    size: AtomicUsize,
    pub(super) metrics: RingMetrics,
}

/// A request that is to be kept.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sampled: Sampled,
    pub(super) ranking: Ranking,
}

impl Door {
    /// A door, and the worker's side of it.
    pub(super) fn new(bound: usize, metrics: RingMetrics) -> (Self, Receiver<Waiting>) {
        let (inbox, waiting) = channel();
        let door = Self {
            bound,
            halvings: AtomicU32::new(0),
            inbox,
            count: AtomicUsize::new(0),
            size: AtomicUsize::new(0),
            metrics,
        };
        (door, waiting)
    }

    /// Puts a request into the inbox, or drops it where there is no room. Says whether it is time to take some out.
    pub(super) fn put(&self, waiting: Waiting) -> bool {
        let size = waiting.sampled.size;
        let before = self.size.fetch_add(size, Relaxed);
        if before.saturating_add(size) > self.bound || self.inbox.send(waiting).is_err() {
            self.size.fetch_sub(size, Relaxed);
            self.metrics.dropped.inc();
            return false;
        }
        let count = self.count.fetch_add(1, AcqRel) + 1;
        count >= WAKE || before + size >= self.bound / 8
    }

    /// Takes out what waited when it was called.
    pub(super) fn take<'a>(
        &'a self,
        inbox: &'a Receiver<Waiting>,
    ) -> impl Iterator<Item = Waiting> + 'a {
        // Counted after they were put in, so that each of them is there.
        let count = self.count.swap(0, AcqRel);
        inbox.try_iter().take(count).inspect(|waiting| {
            self.size.fetch_sub(waiting.sampled.size, Relaxed);
        })
    }

    /// What has come of a profile's requests.
    pub(super) fn measure(&self, recent: &Recent) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.requests.set(gauge(recent.len()));
        self.metrics.candidates.set(gauge(recent.size()));
        self.metrics.share.set(recent.share());
    }

    /// The rate that requests are taken at from now on.
    pub(super) fn set_halvings(&self, halvings: u32) {
        self.halvings.store(halvings, Relaxed);
    }

    pub(super) fn halvings(&self) -> u32 {
        self.halvings.load(Relaxed)
    }
}
