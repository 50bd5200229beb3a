//! What the server counts, for `/metrics`.

use std::time::Duration;

use counterweight_proto::code_name;
use counterweight_telemetry::{
    prometheus::{
        self, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
        IntGauge, IntGaugeVec, Opts, Registry,
    },
    register,
};
use tonic::Code;

use crate::ModelServerError;

/// Upper bounds of the latency histogram, in seconds.
const BUCKETS: [f64; 15] = [
    50e-6, 100e-6, 200e-6, 400e-6, 800e-6, 1.5e-3, 3e-3, 6e-3, 12e-3, 25e-3, 50e-3, 0.1, 0.25, 1.0,
    5.0,
];

/// Handles of all metrics; a clone counts into the same ones.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    rows: IntCounterVec,
    lossy: IntCounterVec,
    versions: IntGaugeVec,
    written: GaugeVec,
    load_failures: IntCounterVec,
    pub(crate) in_flight: IntGauge,
}

/// The metrics of one version, looked up once.
pub(crate) struct VersionMetrics {
    pub(crate) ok: IntCounter,
    pub(crate) seconds: Histogram,
    pub(crate) rows: IntCounter,
    pub(crate) lossy: IntCounter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, ModelServerError> {
        Self::register(registry).map_err(|error| ModelServerError::Setup {
            what: "metrics",
            problem: error.to_string(),
        })
    }

    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name, help, labels| {
            register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let version = &["model", "version"];
        let seconds = HistogramOpts::new(
            "counterweight_model_request_seconds",
            "Time from a request's arrival to its answer.",
        )
        .buckets(BUCKETS.to_vec());
        Ok(Self {
            requests: counter(
                "counterweight_model_requests_total",
                "Inference requests by gRPC code; model and version are empty where they were unknown when the request ended.",
                &["model", "version", "code"],
            )?,
            seconds: register(registry, HistogramVec::new(seconds, version)?)?,
            rows: counter(
                "counterweight_model_rows_total",
                "Candidates scored.",
                version,
            )?,
            lossy: counter(
                "counterweight_model_lossy_strings_total",
                "Strings that were not UTF-8 and were decoded lossily.",
                version,
            )?,
            versions: register(
                registry,
                IntGaugeVec::new(
                    Opts::new("counterweight_model_versions", "Versions loaded."),
                    &["model"],
                )?,
            )?,
            written: register(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "counterweight_model_written_timestamp_seconds",
                        "When the artefact was written, in seconds since 1970; a model's age is time() less this.",
                    ),
                    &["model", "version", "default"],
                )?,
            )?,
            load_failures: counter(
                "counterweight_model_load_failures_total",
                "Artefacts that could not be loaded.",
                &["model"],
            )?,
            in_flight: register(
                registry,
                IntGauge::new(
                    "counterweight_model_requests_in_flight",
                    "Inference requests in work.",
                )?,
            )?,
        })
    }

    /// The metrics of one version.
    pub(crate) fn of_version(&self, model: &str, version: &str) -> VersionMetrics {
        let labels = &[model, version];
        VersionMetrics {
            ok: self
                .requests
                .with_label_values(&[model, version, code_name(Code::Ok)]),
            seconds: self.seconds.with_label_values(labels),
            rows: self.rows.with_label_values(labels),
            lossy: self.lossy.with_label_values(labels),
        }
    }

    /// Counts a request that failed.
    pub(crate) fn failed(&self, model: &str, version: &str, code: Code) {
        self.requests
            .with_label_values(&[model, version, code_name(code)])
            .inc();
    }

    /// Counts an artefact that could not be loaded.
    pub(crate) fn load_failed(&self, model: &str) {
        self.load_failures.with_label_values(&[model]).inc();
    }

    /// Forgets which versions were loaded, before all are stated anew.
    pub(crate) fn forget_versions(&self) {
        self.versions.reset();
        self.written.reset();
    }

    /// States how many versions of a model are loaded.
    pub(crate) fn versions(&self, model: &str, loaded: usize) {
        self.versions
            .with_label_values(&[model])
            .set(i64::try_from(loaded).unwrap_or(i64::MAX));
    }

    /// States when a loaded version was written, as time since 1970.
    pub(crate) fn written(&self, model: &str, version: &str, default: bool, at: Duration) {
        let gauge: Gauge = self.written.with_label_values(&[
            model,
            version,
            if default { "true" } else { "false" },
        ]);
        gauge.set(at.as_secs_f64());
    }
}
