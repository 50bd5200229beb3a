//! The combiner's Prometheus metrics. Labels come from the configuration only, so that no caller can make new series.

mod ring;

use std::time::Duration;

use counterweight_proto::code_name;
use counterweight_telemetry::{
    prometheus::{
        self, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
        IntGaugeVec, Opts, Registry,
    },
    register,
};
use tonic::Code;

pub(crate) use self::ring::RingMetrics;
use self::ring::Rings;
use crate::{
    config::Config,
    error::{CombinerError, Failure},
};

/// Seconds: fine where a healthy call lies, coarse where a deadline does.
const BUCKETS: [f64; 18] = [
    0.0001, 0.0002, 0.0003, 0.0004, 0.0006, 0.0008, 0.001, 0.0013, 0.002, 0.004, 0.008, 0.016,
    0.032, 0.064, 0.125, 0.25, 0.5, 1.0,
];

/// Every metric of a combiner.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    rank: HistogramVec,
    /// The successes of `rank` by profile: the hot path looks nothing up.
    ranked: Vec<Histogram>,
    model: Vec<Histogram>,
    failures: IntCounterVec,
    clamped: Vec<IntCounter>,
    degraded: IntCounterVec,
    /// Requests refused at once.
    pub(crate) overloaded: IntCounter,
    /// Watchers of the weights.
    pub(crate) watchers: IntGauge,
    unconfirmed: IntGaugeVec,
    ring: Rings,
}

impl Metrics {
    /// Registers every metric in a registry of its own.
    pub(crate) fn new(config: &Config) -> Result<Self, CombinerError> {
        Self::registered(config).map_err(|error| CombinerError::Internal {
            what: format!("metrics: {error}"),
        })
    }

    fn registered(config: &Config) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let histogram =
            |name: &str, help: &str| HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
        let rank = register(
            &registry,
            HistogramVec::new(
                histogram(
                    "counterweight_rank_seconds",
                    "Time of Rank from its headers to its answer.",
                ),
                &["profile", "code"],
            )?,
        )?;
        let model = register(
            &registry,
            HistogramVec::new(
                histogram(
                    "counterweight_objective_seconds",
                    "Time until an objective's source answered or failed.",
                ),
                &["objective"],
            )?,
        )?;
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
        };
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
            failures: register(
                &registry,
                counter(
                    "counterweight_objective_failures_total",
                    "Failures of an objective's model.",
                    &["objective", "kind"],
                )?,
            )?,
            clamped: {
                let counters = register(
                    &registry,
                    counter(
                        "counterweight_objective_clamped_total",
                        "Probabilities that lay up to 1e-5 outside of [0, 1] and were brought into it.",
                        &["objective"],
                    )?,
                )?;
                let objectives = config.objectives.iter();
                objectives
                    .map(|objective| counters.with_label_values(&[&objective.name]))
                    .collect()
            },
            degraded: register(
                &registry,
                counter(
                    "counterweight_rank_degraded_total",
                    "Answers that did without an objective.",
                    &["profile"],
                )?,
            )?,
            overloaded: register(
                &registry,
                IntCounter::new(
                    "counterweight_rank_overloaded_total",
                    "Requests refused at once, since too many were in flight.",
                )?,
            )?,
            watchers: register(
                &registry,
                IntGauge::new(
                    "counterweight_weights_watchers",
                    "Open WatchWeights streams.",
                )?,
            )?,
            unconfirmed: register(
                &registry,
                IntGaugeVec::new(
                    Opts::new(
                        "counterweight_weights_unconfirmed",
                        "Objectives of a profile whose weights were tuned for another model or calibrator than is served.",
                    ),
                    &["profile"],
                )?,
            )?,
            ring: Rings::registered(&registry)?,
            registry,
        })
    }

    /// What is kept of a profile's recent requests.
    pub(crate) fn ring(&self, profile: &str) -> RingMetrics {
        self.ring.of(profile)
    }

    /// A Rank for the profile at that position was answered.
    pub(crate) fn ranked(&self, profile: usize, took: Duration) {
        self.ranked[profile].observe(took.as_secs_f64());
    }

    /// A Rank was refused; `profile` is a configured name, or empty for an unknown one.
    pub(crate) fn refused(&self, profile: &str, code: Code, took: Duration) {
        self.rank
            .with_label_values(&[profile, code_name(code)])
            .observe(took.as_secs_f64());
    }

    /// The source of the objective at that position answered or failed.
    pub(crate) fn answered(&self, objective: usize, took: Duration) {
        self.model[objective].observe(took.as_secs_f64());
    }

    /// An objective's model failed.
    pub(crate) fn failed(&self, objective: &str, failure: &Failure) {
        self.failures
            .with_label_values(&[objective, failure.kind()])
            .inc();
    }

    /// So many probabilities of the objective at that position were brought into [0, 1].
    pub(crate) fn clamped(&self, objective: usize, probabilities: usize) {
        self.clamped[objective].inc_by(u64::try_from(probabilities).unwrap_or(u64::MAX));
    }

    /// An answer did without an objective.
    pub(crate) fn degraded(&self, profile: &str) {
        self.degraded.with_label_values(&[profile]).inc();
    }

    /// So many objectives of a profile are served by something else than their weights were tuned for.
    pub(crate) fn unconfirmed(&self, profile: &str, objectives: usize) {
        self.unconfirmed
            .with_label_values(&[profile])
            .set(i64::try_from(objectives).unwrap_or(i64::MAX));
    }
}
