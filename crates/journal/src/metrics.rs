//! Metrics of a log, read from its status when they are asked for.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    IntCounter, IntCounterVec, IntGauge, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::{log::Log, log_state::LogStatus};

type Read = fn(&LogStatus) -> u64;

/// What only grows: its name, its help, and where it stands.
const COUNTERS: [(&str, &str, Read); 9] = [
    (
        "written",
        "Records that were written to the log.",
        |status| status.written,
    ),
    ("parts", "Parquet parts that were written.", |status| {
        status.parts
    }),
    ("rows", "Rows of these parts.", |status| status.rows),
    (
        "unreadable",
        "Records, or damaged places of segments, that are in no part.",
        |status| status.unreadable,
    ),
    (
        "left_out",
        "Columns of records that were left out, since their type had changed.",
        |status| status.left_out,
    ),
    (
        "removed_parts",
        "Parts that were deleted by age or by size.",
        |status| status.removed,
    ),
    (
        "uploaded_parts",
        "Parts that are in the object store and were deleted here.",
        |status| status.uploads.uploaded,
    ),
    (
        "upload_failures",
        "Attempts to upload a part that failed.",
        |status| status.uploads.failures,
    ),
    (
        "not_uploaded_rows",
        "Rows that are lost: their parts were deleted before they were uploaded.",
        |status| status.uploads.lost_rows,
    ),
];

/// What rises and falls.
const GAUGES: [(&str, &str, Read); 6] = [
    (
        "backlog_bytes",
        "Bytes of the records that are written and in no part yet.",
        |status| status.backlog_bytes,
    ),
    (
        "working",
        "1 while the log works, 0 while it does not.",
        |status| u64::from(status.problem.is_none()),
    ),
    (
        "upload_working",
        "0 after a failure to upload a part, 1 else.",
        |status| u64::from(status.uploads.problem.is_none()),
    ),
    (
        "upload_waiting_parts",
        "Parts that wait for their upload.",
        |status| status.uploads.waiting_parts,
    ),
    ("upload_waiting_bytes", "Their bytes.", |status| {
        status.uploads.waiting_bytes
    }),
    (
        "upload_differing_parts",
        "Parts that stay, since the object store has other objects of their names.",
        |status| status.uploads.differing,
    ),
];

/// The metrics of one log.
pub struct LogMetrics {
    log: Arc<Log>,
    described: Vec<Desc>,
    /// Locked, so that two scrapes do not count twice.
    shown: Mutex<Shown>,
}

struct Shown {
    counters: Vec<(IntCounter, Read)>,
    gauges: Vec<(IntGauge, Read)>,
    dropped: IntCounterVec,
}

impl LogMetrics {
    /// Metrics that begin with `counterweight_` and the name.
    ///
    /// # Errors
    /// The name is not valid in the name of a metric.
    pub fn new(name: &str, log: Arc<Log>) -> prometheus::Result<Self> {
        let full = |what: &str| format!("counterweight_{name}_{what}");
        let counter = |(what, help, read): (&str, &str, Read)| {
            Ok((IntCounter::new(full(what) + "_total", help)?, read))
        };
        let gauge =
            |(what, help, read): (&str, &str, Read)| Ok((IntGauge::new(full(what), help)?, read));
        let dropped = Opts::new(
            full("dropped_total"),
            "Records that are not in the log, by reason.",
        );
        let shown = Shown {
            counters: COUNTERS
                .into_iter()
                .map(counter)
                .collect::<prometheus::Result<_>>()?,
            gauges: GAUGES
                .into_iter()
                .map(gauge)
                .collect::<prometheus::Result<_>>()?,
            dropped: IntCounterVec::new(dropped, &["reason"])?,
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
        let counters = self.counters.iter().flat_map(|(counter, _)| counter.desc());
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.desc());
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
        };
        for (reason, count) in &status.dropped {
            raise(&shown.dropped.with_label_values(&[reason.name()]), *count);
        }
        let mut families = shown.dropped.collect();
        for (counter, read) in &shown.counters {
            raise(counter, read(&status));
            families.extend(counter.collect());
        }
        for (gauge, read) in &shown.gauges {
            gauge.set(i64::try_from(read(&status)).unwrap_or(i64::MAX));
            families.extend(gauge.collect());
        }
        families
    }
}
