//! The metrics of the server, for `/metrics`.

use std::time::Duration;

use counterweight_proto::code_name;
use counterweight_serving::{
    Register, ServingError,
    prometheus::{
        Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
        Registry,
    },
};
use tonic::Code;

/// Handles of all metrics; clones share the same metrics.
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

/// The metrics of one version, whose labels are resolved once.
pub(crate) struct VersionMetrics {
    pub(crate) ok: IntCounter,
    pub(crate) seconds: Histogram,
    pub(crate) rows: IntCounter,
    pub(crate) lossy: IntCounter,
}

impl Metrics {
    /// Registers all metrics.
    pub(crate) fn new(registry: &Registry) -> Result<Self, ServingError> {
        let register = Register(registry);
        let version = &["model", "version"];
        Ok(Self {
            requests: register.counters(
                "counterweight_model_requests_total",
                "Inference requests by gRPC code; model and version are empty if they were not \
                 known when the request ended.",
                &["model", "version", "code"],
            )?,
            seconds: register.seconds(
                "counterweight_model_request_seconds",
                "Time from a request's arrival to its answer.",
                version,
            )?,
            rows: register.counters(
                "counterweight_model_rows_total",
                "Candidates scored.",
                version,
            )?,
            lossy: register.counters(
                "counterweight_model_lossy_strings_total",
                "Strings that were not UTF-8 and were decoded lossily.",
                version,
            )?,
            versions: register.gauges(
                "counterweight_model_versions",
                "Versions loaded.",
                &["model"],
            )?,
            written: register.float_gauges(
                "counterweight_model_written_timestamp_seconds",
                "When the artefact was written, in seconds since 1970; the age of a model is \
                 time() minus this.",
                &["model", "version", "default"],
            )?,
            load_failures: register.counters(
                "counterweight_model_load_failures_total",
                "Artefacts that could not be loaded.",
                &["model"],
            )?,
            in_flight: register.gauge(
                "counterweight_model_requests_in_flight",
                "Inference requests in progress.",
            )?,
        })
    }

    /// The metrics of one version.
    pub(crate) fn version(&self, model: &str, version: &str) -> VersionMetrics {
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

    /// Clears the metrics of the loaded versions, before they are set again.
    pub(crate) fn clear_versions(&self) {
        self.versions.reset();
        self.written.reset();
    }

    /// Sets how many versions of a model are loaded.
    pub(crate) fn set_versions(&self, model: &str, loaded: usize) {
        self.versions
            .with_label_values(&[model])
            .set(i64::try_from(loaded).unwrap_or(i64::MAX));
    }

    /// Sets when a loaded version was written, as time since 1970.
    pub(crate) fn set_written(&self, model: &str, version: &str, default: bool, at: Duration) {
        let gauge: Gauge = self.written.with_label_values(&[
            model,
            version,
            if default { "true" } else { "false" },
        ]);
        gauge.set(at.as_secs_f64());
    }
}
