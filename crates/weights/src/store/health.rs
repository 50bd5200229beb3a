//! Whether the store is in reach: the store says so, and every request asks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use counterweight_clock::Clock;
use prometheus::IntGauge;
use tokio::sync::watch;

use crate::clock::now_ms;

/// Whether the store is in reach.
#[derive(Debug)]
pub(crate) struct StoreHealth {
    clock: Arc<dyn Clock>,
    /// Milliseconds since 1970; 0 while it is in reach.
    down_since: AtomicU64,
    /// Why it is out of reach; none while it is in reach.
    reason: watch::Sender<Option<String>>,
    gauge: IntGauge,
}

impl StoreHealth {
    /// A store that is in reach; `gauge` is 1 while it is not.
    pub(crate) fn new(gauge: IntGauge, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            down_since: AtomicU64::new(0),
            reason: watch::Sender::new(None),
            gauge,
        }
    }

    /// The store is out of reach, for this reason.
    pub(super) fn mark_down(&self, why: &dyn std::fmt::Display) {
        let why = why.to_string();
        let first = self.down_since.compare_exchange(
            0,
            now_ms(&*self.clock).max(1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if first.is_ok() {
            self.gauge.set(1);
            tracing::error!(%why, "the weights store is out of reach; the last known weights stay in use");
        }
        self.reason.send_if_modified(|reason| {
            let changed = reason.as_ref() != Some(&why);
            *reason = Some(why);
            changed
        });
    }

    /// The store answers.
    pub(super) fn mark_up(&self) {
        if self.down_since.load(Ordering::Relaxed) != 0
            && self.down_since.swap(0, Ordering::Relaxed) != 0
        {
            self.gauge.set(0);
            self.reason.send_replace(None);
            tracing::info!("the weights store is in reach again");
        }
    }

    /// Since when it is out of reach; none while it is in reach.
    pub(crate) fn down_since(&self) -> Option<SystemTime> {
        match self.down_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(UNIX_EPOCH + Duration::from_millis(since)),
        }
    }

    /// Why it is out of reach, and every change of that.
    pub(crate) fn reason(&self) -> watch::Receiver<Option<String>> {
        self.reason.subscribe()
    }
}
