//! The embedded log alone: what is on disk after a kill, a full disk, a flipped byte.

mod displaced;
mod snapshots;

use std::fs;

use counterweight_clock::SystemClock;
use prometheus::IntGauge;
use prost_types::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::entry::{
    NO_HASH, digest,
    tests::{cause, change},
};

const HORIZON: Duration = Duration::from_secs(7 * 24 * 3600);

fn opened(path: &Path) -> Result<Opened, StoreError> {
    let gauge = IntGauge::new("lost", "lost").unwrap();
    let health = Arc::new(StoreHealth::new(gauge, Arc::new(SystemClock)));
    EmbeddedLog::open_blocking(path.to_owned(), HORIZON, Some(health))
}

fn open(path: &Path) -> Result<EmbeddedLog, StoreError> {
    Ok(opened(path)?.0)
}

fn append(store: &EmbeddedLog, weight: f64) -> Result<u64, StoreError> {
    let last = store.last();
    let previous = match last {
        0 => NO_HASH.to_owned(),
        last => store.read_blocking(last, 1, READ_BYTES)?[0].hash.clone(),
    };
    let time = Timestamp::default();
    let sealed = Sealed::new(last + 1, &previous, change(weight), cause(), time).unwrap();
    let line = encode_line(&sealed.entry.hash, &sealed.payload);
    assert_eq!(store.append_blocking(last + 1, &line)?, Appended::Committed);
    Ok(last + 1)
}

fn log_of(count: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.log");
    let store = open(&path).unwrap();
    for revision in 1..=count {
        assert_eq!(append(&store, revision as f64).unwrap(), revision);
    }
    (folder, path)
}

fn revisions(path: &Path) -> Vec<u64> {
    let store = open(path).unwrap();
    let entries = store.read_blocking(1, usize::MAX, READ_BYTES).unwrap();
    entries.iter().map(|entry| entry.revision).collect()
}

#[test]
fn an_entry_for_another_end_of_the_log_is_a_conflict_and_writes_nothing() {
    let (_folder, path) = log_of(2);
    let before = fs::read(&path).unwrap();
    let store = open(&path).unwrap();
    for revision in [1, 2, 4, 9] {
        assert_eq!(
            store.append_blocking(revision, b"anything").unwrap(),
            Appended::Conflict
        );
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn entries_survive_and_are_read_from_any_revision() {
    let (_folder, path) = log_of(5);
    assert_eq!(revisions(&path), [1, 2, 3, 4, 5]);
    let log = open(&path).unwrap();
    let read = |from, count| {
        log.read_blocking(from, count, READ_BYTES)
            .unwrap()
            .iter()
            .map(|e| e.revision)
            .collect::<Vec<_>>()
    };
    assert_eq!(read(3, 2), [3, 4]);
    assert_eq!(read(5, 9), [5]);
    assert!(read(6, 9).is_empty());
    let all = log.read_blocking(1, 9, READ_BYTES).unwrap();
    assert_eq!(all[0].previous, NO_HASH);
    assert!(all.windows(2).all(|pair| pair[1].previous == pair[0].hash));
}

#[test]
fn two_writers_on_one_file_is_an_error_that_says_so() {
    let (_folder, path) = log_of(1);
    let _first = open(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
}

#[test]
fn a_tail_torn_at_any_byte_is_moved_aside_and_the_log_goes_on() {
    let (_folder, path) = log_of(3);
    let whole = fs::read(&path).unwrap();
    let start = open(&path).unwrap().index().last_start as usize;
    for cut in start + 1..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(revisions(&path), [1, 2], "cut at {cut}");
        let aside = path.with_extension("log.unfinished-3");
        assert_eq!(fs::read(&aside).unwrap(), &whole[start..cut]);
        let store = open(&path).unwrap();
        assert_eq!(append(&store, 9.0).unwrap(), 3);
        drop(store);
        assert_eq!(revisions(&path), [1, 2, 3]);
    }
}

#[test]
fn an_entry_written_but_not_acknowledged_is_there_after_a_kill() {
    let (_folder, path) = log_of(1);
    let (_other, longer) = log_of(2);
    fs::copy(&longer, &path).unwrap();
    assert_eq!(revisions(&path), [1, 2]);
}

#[test]
fn a_flipped_byte_anywhere_is_an_error_that_names_its_line() {
    let (_folder, path) = log_of(3);
    let whole = fs::read(&path).unwrap();
    let line_of = |at: usize| 1 + whole[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
    for at in (0..whole.len() - 1)
        .step_by(7)
        .filter(|&at| whole[at] != b'\n')
    {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match open(&path).unwrap_err() {
            StoreError::Corrupt { revision, .. } => {
                assert_eq!(revision, line_of(at), "flipped at {at}");
            }
            other => panic!("flipped at {at}: {other}"),
        }
        assert_eq!(
            fs::read(&path).unwrap(),
            bytes,
            "a corrupt log is left as it is"
        );
    }
}

#[test]
fn entries_that_are_missing_or_exchanged_are_found() {
    let (_folder, path) = log_of(3);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
    let error = open(&path).unwrap_err();
    assert!(
        error.to_string().contains("entry 2: it has revision 3"),
        "{error}"
    );
    let (_other, foreign) = log_of(2);
    let store = open(&foreign).unwrap();
    append(&store, 77.0).unwrap();
    drop(store);
    let foreign = fs::read_to_string(&foreign).unwrap();
    let replaced = text.replace(
        lines[1],
        &foreign.lines().nth(1).unwrap().replace("2.0", "2.5"),
    );
    fs::write(&path, replaced).unwrap();
    assert!(matches!(
        open(&path),
        Err(StoreError::Corrupt { revision: 2, .. })
    ));
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let (_folder, path) = log_of(1);
    let payload = r#"{"format":99}"#;
    let line = format!("{} {payload}\n", digest(payload.as_bytes()));
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(&line);
    fs::write(&path, text).unwrap();
    let error = open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::TooNew {
                revision: 2,
                found: 99,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_full_disk_leaves_what_was_acknowledged_and_the_next_write_works() {
    let (_folder, path) = log_of(2);
    let before = fs::read(&path).unwrap();
    let store = open(&path).unwrap();
    for room in [0, 1, 70, 200] {
        store.writer.lock().unwrap().full_after = Some(room);
        assert!(matches!(append(&store, 3.0), Err(StoreError::Io { .. })));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(store.last(), 2);
    }
    store.writer.lock().unwrap().full_after = None;
    assert_eq!(append(&store, 3.0).unwrap(), 3);
    drop(store);
    assert_eq!(revisions(&path), [1, 2, 3]);
}
