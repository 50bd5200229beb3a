//! The Prometheus metrics of the weights. Labels come from the configuration only.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry, Result, core::Collector};

/// Every metric of the weights.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// 1 while the store is out of reach.
    pub(crate) store_lost: IntGauge,
    /// Profiles under a local kill.
    pub(crate) local_kill: IntGauge,
    /// The first entry that cannot be read; 0 while there is none.
    #[cfg_attr(
        not(feature = "nats"),
        expect(
            dead_code,
            reason = "a file of its own holds nothing that cannot be read"
        )
    )]
    pub(crate) unreadable: IntGauge,
    pub(crate) end: LogEnd,
    revision: IntGaugeVec,
}

/// Where the log ends, and how much of it is applied.
#[derive(Debug, Clone)]
pub(crate) struct LogEnd {
    applied: IntGauge,
    last: IntGauge,
    lag: IntGauge,
}

impl Metrics {
    /// Registers every metric.
    pub(crate) fn new(registry: &Registry) -> Result<Self> {
        Ok(Self {
            store_lost: gauge(
                registry,
                "counterweight_weights_store_lost",
                "1 while the weights store is out of reach and the last known good weights are served.",
            )?,
            local_kill: gauge(
                registry,
                "counterweight_weights_local_kill",
                "Profiles whose safe weights are in force on this combiner alone, by a local kill.",
            )?,
            unreadable: gauge(
                registry,
                "counterweight_weights_unreadable_revision",
                "The revision of the entry that cannot be read and blocks the weights log; 0 when there is none.",
            )?,
            end: LogEnd {
                applied: gauge(
                    registry,
                    "counterweight_weights_applied_revision",
                    "The last revision of the weights log that is applied.",
                )?,
                last: gauge(
                    registry,
                    "counterweight_weights_last_revision",
                    "The last revision of the weights log that this combiner knows of.",
                )?,
                lag: gauge(
                    registry,
                    "counterweight_weights_lag",
                    "Revisions that this combiner knows of and has not applied.",
                )?,
            },
            revision: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "counterweight_weights_revision",
                        "The revision that set a profile's weights; 0 is the configuration.",
                    ),
                    &["profile"],
                )?,
            )?,
        })
    }

    /// These revisions are in force: the log's, and each profile's.
    pub(crate) fn set_applied<'a>(
        &self,
        applied: u64,
        profiles: impl Iterator<Item = (&'a str, u64)>,
    ) {
        self.end.set_applied(applied);
        for (profile, revision) in profiles {
            self.revision
                .with_label_values(&[profile])
                .set(revision.cast_signed());
        }
    }
}

impl LogEnd {
    /// The log is known to end at this revision.
    pub(crate) fn set_last_revision(&self, last: u64) {
        self.last.set(last.cast_signed());
        self.measure();
    }

    /// The last revision that is known.
    #[cfg(feature = "nats")]
    pub(crate) fn last_revision(&self) -> u64 {
        self.last.get().cast_unsigned()
    }

    fn set_applied(&self, applied: u64) {
        self.applied.set(applied.cast_signed());
        if self.last.get() < applied.cast_signed() {
            self.last.set(applied.cast_signed());
        }
        self.measure();
    }

    fn measure(&self) {
        self.lag.set((self.last.get() - self.applied.get()).max(0));
    }
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    register(registry, IntGauge::new(name, help)?)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
