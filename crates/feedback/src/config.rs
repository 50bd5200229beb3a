//! How events are kept.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use counterweight_journal::{PartStore, Retention, UnitRule};

/// How events are kept.
#[derive(Debug, Clone)]
pub struct FeedbackConfig {
    /// The folder of the log.
    pub path: PathBuf,
    /// The types of events that are accepted; empty accepts all.
    pub types: BTreeSet<String>,
    /// How units are kept: as in the request log, so that events and rankings can be joined.
    pub unit: UnitRule,
    /// Bytes that may wait for the disk. Default 16 MiB.
    pub queue_bytes: usize,
    /// Bytes of the events of a part, before they are compressed. Default 64 MiB.
    pub part_bytes: u64,
    /// The age at which events become a part. Default 15 minutes.
    pub part_age: Duration,
    /// Which parts are kept. Default 400 days and 100 GiB.
    pub retention: Retention,
    /// Where parts are uploaded to. Default: nowhere.
    pub store: Option<PartStore>,
}

impl FeedbackConfig {
    /// A log of all types of events in a folder, with the key of the units in a file beside it.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            unit: UnitRule::keyed_beside(&path),
            path,
            types: BTreeSet::new(),
            queue_bytes: 16 << 20,
            part_bytes: 64 << 20,
            part_age: Duration::from_secs(15 * 60),
            retention: Retention {
                longest_age: Duration::from_secs(400 * 24 * 60 * 60),
                most_bytes: 100 << 30,
            },
            store: None,
        }
    }
}
