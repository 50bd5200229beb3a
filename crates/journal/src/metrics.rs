//! Metrics of a log, read from its status when they are asked for.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    IntCounter, IntCounterVec, IntGauge, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::log::Log;

/// The metrics of one log.
pub struct LogMetrics {
    log: Arc<Log>,
    described: Vec<Desc>,
    /// Locked, so that two scrapes do not count twice.
    shown: Mutex<Shown>,
}

struct Shown {
    written: IntCounter,
    dropped: IntCounterVec,
    parts: IntCounter,
    rows: IntCounter,
    unreadable: IntCounter,
    left_out: IntCounter,
    removed: IntCounter,
    backlog: IntGauge,
    working: IntGauge,
}

impl LogMetrics {
    /// Metrics that begin with `counterweight_` and the name.
    ///
    /// # Errors
    /// The name is not valid in the name of a metric.
    pub fn new(name: &str, log: Arc<Log>) -> prometheus::Result<Self> {
        let full = |what: &str| format!("counterweight_{name}_{what}");
        let counter = |what: &str, help: &str| IntCounter::new(full(what) + "_total", help);
        let gauge = |what: &str, help: &str| IntGauge::new(full(what), help);
        let dropped = Opts::new(
            full("dropped_total"),
            "Records that are not in the log, by reason.",
        );
        let shown = Shown {
            written: counter("written", "Records that were written to the log.")?,
            dropped: IntCounterVec::new(dropped, &["reason"])?,
            parts: counter("parts", "Parquet parts that were written.")?,
            rows: counter("rows", "Rows of these parts.")?,
            unreadable: counter(
                "unreadable",
                "Records, or damaged places of segments, that are in no part.",
            )?,
            left_out: counter(
                "left_out",
                "Columns of records that were left out, since their type had changed.",
            )?,
            removed: counter(
                "removed_parts",
                "Parts that were deleted by age or by size.",
            )?,
            backlog: gauge(
                "backlog_bytes",
                "Bytes of the records that are written and in no part yet.",
            )?,
            working: gauge("working", "1 while the log works, 0 while it does not.")?,
        };
        Ok(Self {
            log,
            described: shown.described(),
            shown: Mutex::new(shown),
        })
    }
}

impl Shown {
    fn described(&self) -> Vec<Desc> {
        let counters = [
            &self.written,
            &self.parts,
            &self.rows,
            &self.unreadable,
            &self.left_out,
            &self.removed,
        ];
        let counters = counters.into_iter().flat_map(Collector::desc);
        let gauges = [&self.backlog, &self.working];
        let gauges = gauges.into_iter().flat_map(Collector::desc);
        let all = counters.chain(gauges).chain(self.dropped.desc());
        all.cloned().collect()
    }
}

impl Collector for LogMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.described.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let status = self.log.status();
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let raise = |counter: &IntCounter, total: u64| {
            counter.inc_by(total.saturating_sub(counter.get()));
            counter.collect()
        };
        for (reason, count) in status.dropped {
            raise(&shown.dropped.with_label_values(&[reason.name()]), count);
        }
        let show = |gauge: &IntGauge, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.collect()
        };
        [
            raise(&shown.written, status.written),
            shown.dropped.collect(),
            raise(&shown.parts, status.parts),
            raise(&shown.rows, status.rows),
            raise(&shown.unreadable, status.unreadable),
            raise(&shown.left_out, status.left_out),
            raise(&shown.removed, status.removed),
            show(&shown.backlog, status.backlog_bytes),
            show(&shown.working, u64::from(status.problem.is_none())),
        ]
        .concat()
    }
}
