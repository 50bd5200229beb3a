//! What the tests of the journal share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use counterweight_journal::{
    ClosedSegment, Column, Columns, Converted, Disk, Found, Frames, JournalError, JournalFolder,
    Kind, LossyDisk, PartOptions, Record, Recovered, Values, Wal, WalOptions, convert,
};

pub const HOUR: i64 = 3_600_000;
pub const NOW: i64 = 490_000 * HOUR + 1000;

/// A journal on a disk in memory.
pub struct Bench {
    pub disk: LossyDisk,
    pub folder: Arc<JournalFolder>,
    pub wal: Wal,
    pub recovered: Recovered,
    pub closed: Arc<Mutex<Vec<ClosedSegment>>>,
    pub now: Arc<AtomicI64>,
}

pub fn options() -> WalOptions {
    WalOptions {
        kind: Kind::Requests,
        queue_bytes: 1 << 20,
        segment_bytes: 1 << 20,
        segment_age: Duration::from_secs(600),
    }
}

pub fn open(disk: &LossyDisk) -> Result<Arc<JournalFolder>, JournalError> {
    JournalFolder::open(Arc::new(disk.clone()), Path::new("/journal")).map(Arc::new)
}

pub fn start(disk: &LossyDisk, options: WalOptions) -> Result<Bench, JournalError> {
    let folder = open(disk)?;
    let closed: Arc<Mutex<Vec<_>>> = Arc::default();
    let now = Arc::new(AtomicI64::new(NOW));
    let (sink, clock) = (Arc::clone(&closed), Arc::clone(&now));
    let (wal, recovered) = Wal::start(
        Arc::clone(&folder),
        Arc::new(move || clock.load(Ordering::Relaxed)),
        options,
        move |segment| sink.lock().unwrap().push(segment),
    )?;
    Ok(Bench {
        disk: disk.clone(),
        folder,
        wal,
        recovered,
        closed,
        now,
    })
}

pub fn record(time_ms: i64, number: u64) -> Record {
    Record {
        time_ms,
        payload: number.to_string().into_bytes(),
    }
}

/// The numbers in a segment.
pub fn numbers(disk: &LossyDisk, path: &Path) -> Vec<u64> {
    let bytes = disk.read(path, 0, usize::MAX).unwrap();
    let found = Frames::new(&bytes).filter_map(|found| match found {
        Found::Record(payload) => std::str::from_utf8(payload).unwrap().parse().ok(),
        Found::Damaged { .. } => None,
    });
    found.collect()
}

/// Checks that all segments end with a whole frame and have no other bytes.
pub fn assert_clean(disk: &LossyDisk) {
    for path in disk.list(Path::new("/journal/wal")).unwrap() {
        let bytes = disk.read(&path, 0, usize::MAX).unwrap();
        let mut frames = Frames::new(&bytes);
        let damaged = frames
            .by_ref()
            .any(|found| matches!(found, Found::Damaged { .. }));
        assert!(!damaged, "{}", path.display());
        assert_eq!(frames.end(), bytes.len() as u64, "{}", path.display());
    }
}

/// The numbers in all segments that are left.
pub fn all_numbers(disk: &LossyDisk) -> Vec<u64> {
    let paths = disk.list(Path::new("/journal/wal")).unwrap_or_default();
    paths.iter().flat_map(|path| numbers(disk, path)).collect()
}

pub fn decode(payload: &[u8]) -> Result<Columns, String> {
    let text = String::from_utf8(payload.to_vec()).map_err(|error| error.to_string())?;
    let values = Values::Text(vec![Some(text.into())]);
    Ok(Columns(vec![Column::new("number", values)]))
}

pub fn part_options() -> PartOptions {
    PartOptions {
        replica: "a".to_owned(),
        schema_version: "1".to_owned(),
    }
}

pub fn convert_numbers(
    folder: &JournalFolder,
    segment: &ClosedSegment,
) -> Result<Converted, JournalError> {
    convert(folder, segment, &part_options(), &decode)
}
