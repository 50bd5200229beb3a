//! Metrics of what is kept of the recent requests, by profile.

use counterweight_telemetry::{
    prometheus::{
        self, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    },
    register,
};

/// What is kept of the recent requests, by profile.
#[derive(Debug, Clone)]
pub(super) struct Rings {
    requests: IntGaugeVec,
    candidates: IntGaugeVec,
    share: GaugeVec,
    dropped: IntCounterVec,
}

/// What is kept of one profile's recent requests.
#[derive(Debug, Clone)]
pub(crate) struct RingMetrics {
    pub(crate) requests: IntGauge,
    pub(crate) candidates: IntGauge,
    pub(crate) share: Gauge,
    pub(crate) dropped: IntCounter,
}

impl Rings {
    pub(super) fn registered(registry: &Registry) -> prometheus::Result<Self> {
        let profile = &["profile"];
        Ok(Self {
            requests: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "counterweight_ring_requests",
                        "Recent requests that are kept.",
                    ),
                    profile,
                )?,
            )?,
            candidates: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "counterweight_ring_candidates",
                        "Candidates of the recent requests that are kept; one that takes more than 256 bytes counts as several.",
                    ),
                    profile,
                )?,
            )?,
            share: register(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "counterweight_ring_share",
                        "The share of the recent requests that previews and the log see.",
                    ),
                    profile,
                )?,
            )?,
            dropped: register(
                registry,
                IntCounterVec::new(
                    Opts::new(
                        "counterweight_ring_dropped_total",
                        "Requests that were to be kept and were not: larger than all that is kept, or faster than they are taken in.",
                    ),
                    profile,
                )?,
            )?,
        })
    }

    /// Those of one profile.
    pub(super) fn of(&self, profile: &str) -> RingMetrics {
        let labels = &[profile];
        RingMetrics {
            requests: self.requests.with_label_values(labels),
            candidates: self.candidates.with_label_values(labels),
            share: self.share.with_label_values(labels),
            dropped: self.dropped.with_label_values(labels),
        }
    }
}
