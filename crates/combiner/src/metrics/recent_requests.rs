//! Metrics of the recent requests that are kept, by profile.

use counterweight_serving::{
    Register,
    prometheus::{self, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec},
};

/// Metrics of the recent requests, by profile.
#[derive(Debug, Clone)]
pub(super) struct RecentRequestsByProfile {
    requests: IntGaugeVec,
    candidates: IntGaugeVec,
    share: GaugeVec,
    dropped: IntCounterVec,
}

/// Metrics of the recent requests of one profile.
#[derive(Debug, Clone)]
pub(crate) struct RecentRequestsMetrics {
    pub(crate) requests: IntGauge,
    pub(crate) candidates: IntGauge,
    pub(crate) share: Gauge,
    pub(crate) dropped: IntCounter,
}

impl RecentRequestsByProfile {
    pub(super) fn registered(register: Register<'_>) -> prometheus::Result<Self> {
        let profile = &["profile"];
        Ok(Self {
            requests: register.gauges(
                "counterweight_recent_requests",
                "Recent requests that are kept.",
                profile,
            )?,
            candidates: register.gauges(
                "counterweight_recent_requests_candidates",
                "Candidates of the recent requests that are kept; one of more than 256 bytes counts as \
                 several.",
                profile,
            )?,
            share: register.float_gauges(
                "counterweight_recent_requests_share",
                "The share of the recent requests that previews and the log use.",
                profile,
            )?,
            dropped: register.counters(
                "counterweight_recent_requests_dropped_total",
                "Requests that could not be kept: larger than the whole sample, or arriving \
                 faster than they are stored.",
                profile,
            )?,
        })
    }

    /// The metrics of one profile.
    pub(super) fn profile(&self, profile: &str) -> RecentRequestsMetrics {
        let labels = &[profile];
        RecentRequestsMetrics {
            requests: self.requests.with_label_values(labels),
            candidates: self.candidates.with_label_values(labels),
            share: self.share.with_label_values(labels),
            dropped: self.dropped.with_label_values(labels),
        }
    }
}
