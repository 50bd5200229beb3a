//! Whether the store is in reach: asked by every request, told by the store.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus::IntGauge;

/// Whether the store is in reach.
#[derive(Debug)]
pub(crate) struct Reach {
    /// Milliseconds since 1970; 0 while it is in reach.
    lost_since: AtomicU64,
    gauge: IntGauge,
}

impl Reach {
    /// In reach; `gauge` is 1 while it is not.
    pub(crate) fn new(gauge: IntGauge) -> Self {
        Self {
            lost_since: AtomicU64::new(0),
            gauge,
        }
    }

    /// The store is lost, or still is.
    pub(super) fn lost(&self, why: &dyn std::fmt::Display) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        let first =
            self.lost_since
                .compare_exchange(0, now.max(1), Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            self.gauge.set(1);
            tracing::error!(%why, "the weights store is lost; the last known good weights are served");
        }
    }

    /// The store answers.
    pub(super) fn found(&self) {
        if self.lost_since.load(Ordering::Relaxed) != 0
            && self.lost_since.swap(0, Ordering::Relaxed) != 0
        {
            self.gauge.set(0);
            tracing::info!("the weights store is in reach again");
        }
    }

    /// Since when it is lost; none while it is in reach.
    pub(crate) fn lost_since(&self) -> Option<SystemTime> {
        match self.lost_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(UNIX_EPOCH + Duration::from_millis(since)),
        }
    }
}
