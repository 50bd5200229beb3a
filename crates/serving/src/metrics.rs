//! Short ways to register metrics, and the buckets of every latency histogram.

use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, Result, core::Collector,
};

/// Upper bounds of latency histograms in seconds: fine where a healthy call lies, coarse where a
/// deadline does.
pub const BUCKETS: [f64; 20] = [
    50e-6, 100e-6, 200e-6, 300e-6, 400e-6, 600e-6, 800e-6, 1e-3, 1.3e-3, 2e-3, 4e-3, 8e-3, 0.016,
    0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 5.0,
];

/// Registers metrics in a registry. Each method returns a handle that counts into the registered
/// metric, and fails when the name is taken or invalid.
#[derive(Debug, Clone, Copy)]
pub struct Register<'a>(pub &'a Registry);

impl Register<'_> {
    /// A counter.
    pub fn counter(self, name: &str, help: &str) -> Result<IntCounter> {
        self.register(IntCounter::new(name, help)?)
    }

    /// Counters by labels.
    pub fn counters(self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge of whole numbers.
    pub fn gauge(self, name: &str, help: &str) -> Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    /// Gauges of whole numbers by labels.
    pub fn gauges(self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge of any number.
    pub fn float_gauge(self, name: &str, help: &str) -> Result<Gauge> {
        self.register(Gauge::new(name, help)?)
    }

    /// Gauges of any number by labels.
    pub fn float_gauges(self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// Histograms of seconds by labels, with [`BUCKETS`].
    pub fn seconds(self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
        self.register(HistogramVec::new(options, labels)?)
    }

    fn register<C: Collector + Clone + 'static>(self, metric: C) -> Result<C> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}
