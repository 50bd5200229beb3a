//! The combiner's Prometheus metrics. Labels come from the configuration only, so no caller can
//! create new series.

mod recent_requests;

use std::{sync::Arc, time::Duration};

use counterweight_journal::{Log, LogMetrics};
use counterweight_model_client::Failure;
use counterweight_proto::code_name;
use counterweight_serving::{
    Register,
    prometheus::{
        self, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    },
};
use tonic::Code;

use self::recent_requests::RecentRequestsByProfile;
pub(crate) use self::recent_requests::RecentRequestsMetrics;
use crate::{config::Config, error::CombinerError};

/// Every metric of a combiner.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    rank: HistogramVec,
    /// The successes of `rank` by profile, resolved once: the hot path looks up no label.
    ranked: Vec<Histogram>,
    model: Vec<Histogram>,
    failures: IntCounterVec,
    clamped: Vec<IntCounter>,
    degraded: IntCounterVec,
    /// Rank requests that are in progress.
    pub(crate) in_progress: IntGauge,
    /// Rank requests that were refused at once.
    pub(crate) overloaded: IntCounter,
    /// Watchers of the weights.
    pub(crate) watchers: IntGauge,
    unconfirmed: IntGaugeVec,
    recent_requests: RecentRequestsByProfile,
}

impl Metrics {
    /// Registers every metric in its own registry.
    pub(crate) fn new(config: &Config) -> Result<Self, CombinerError> {
        Self::registered(config).map_err(|error| CombinerError::Internal {
            what: format!("metrics: {error}"),
        })
    }

    fn registered(config: &Config) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let register = Register(&registry);
        let rank = register.seconds(
            "counterweight_rank_seconds",
            "Time of Rank from its headers to its answer.",
            &["profile", "code"],
        )?;
        let model = register.seconds(
            "counterweight_objective_seconds",
            "Time until an objective's source answered or failed.",
            &["objective"],
        )?;
        Ok(Self {
            model: config
                .objectives
                .iter()
                .map(|objective| model.with_label_values(&[&objective.name]))
                .collect(),
            ranked: config
                .profiles
                .iter()
                .map(|profile| rank.with_label_values(&[profile.name.as_str(), "OK"]))
                .collect(),
            rank,
            failures: register.counters(
                "counterweight_objective_failures_total",
                "Failures of an objective's model.",
                &["objective", "kind"],
            )?,
            clamped: {
                let counters = register.counters(
                    "counterweight_objective_clamped_total",
                    "Probabilities up to 1e-5 outside of [0, 1] that were clamped.",
                    &["objective"],
                )?;
                let objectives = config.objectives.iter();
                objectives
                    .map(|objective| counters.with_label_values(&[&objective.name]))
                    .collect()
            },
            degraded: register.counters(
                "counterweight_rank_degraded_total",
                "Answers without an objective that failed.",
                &["profile"],
            )?,
            in_progress: register.gauge(
                "counterweight_rank_requests_in_flight",
                "Rank requests in progress.",
            )?,
            overloaded: register.counter(
                "counterweight_rank_overloaded_total",
                "Requests refused at once because too many were in progress.",
            )?,
            watchers: register.gauge(
                "counterweight_weights_watchers",
                "Open WatchWeights streams.",
            )?,
            unconfirmed: register.gauges(
                "counterweight_weights_unconfirmed",
                "Objectives of a profile whose weights were tuned for another model or calibrator \
                 than the one that is served.",
                &["profile"],
            )?,
            recent_requests: RecentRequestsByProfile::registered(register)?,
            registry,
        })
    }

    /// Shows what a log does, in metrics of that name.
    pub(crate) fn show_log(&self, name: &str, log: &Arc<Log>) -> Result<(), CombinerError> {
        let registered = LogMetrics::new(name, Arc::clone(log))
            .and_then(|metrics| self.registry.register(Box::new(metrics)));
        registered.map_err(|error| CombinerError::Internal {
            what: format!("metrics: {error}"),
        })
    }

    /// The metrics of a profile's recent requests.
    pub(crate) fn recent_requests(&self, profile: &str) -> RecentRequestsMetrics {
        self.recent_requests.profile(profile)
    }

    /// Counts a Rank that was answered for the profile at that position.
    pub(crate) fn ranked(&self, profile: usize, took: Duration) {
        self.ranked[profile].observe(took.as_secs_f64());
    }

    /// Counts a Rank that failed; `profile` is a configured name, or empty for an unknown one.
    pub(crate) fn refused(&self, profile: &str, code: Code, took: Duration) {
        self.rank
            .with_label_values(&[profile, code_name(code)])
            .observe(took.as_secs_f64());
    }

    /// Counts an answer or a failure of the source of the objective at that position.
    pub(crate) fn answered(&self, objective: usize, took: Duration) {
        self.model[objective].observe(took.as_secs_f64());
    }

    /// Counts a failure of an objective's model.
    pub(crate) fn failed(&self, objective: &str, failure: &Failure) {
        self.failures
            .with_label_values(&[objective, failure.kind()])
            .inc();
    }

    /// Counts probabilities of the objective at that position that were clamped to [0, 1].
    pub(crate) fn clamped(&self, objective: usize, probabilities: usize) {
        self.clamped[objective].inc_by(u64::try_from(probabilities).unwrap_or(u64::MAX));
    }

    /// Counts an answer without an objective that failed.
    pub(crate) fn degraded(&self, profile: &str) {
        self.degraded.with_label_values(&[profile]).inc();
    }

    /// Sets how many objectives of a profile are served by another model or calibrator than the one
    /// that their weights were tuned for.
    pub(crate) fn unconfirmed(&self, profile: &str, objectives: usize) {
        self.unconfirmed
            .with_label_values(&[profile])
            .set(i64::try_from(objectives).unwrap_or(i64::MAX));
    }
}
