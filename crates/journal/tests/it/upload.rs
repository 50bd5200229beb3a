//! Parts in an object store: each once, under its own name, whatever the store does meanwhile.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use counterweight_journal::{
    Disk as _, Durability, Log, LogOptions, LossyDisk, Retention, WalOptions,
};
use counterweight_test_support::wait_until;
use parquet::file::metadata::ParquetMetaDataReader;

use crate::{
    bucket::{Answers, Bucket},
    common::{NOW, decode, options, part_options, record},
};

const PARTS: &str = "/journal/requests/dt=2025-11-24/hr=16";

fn log_options(bucket: &Bucket) -> LogOptions {
    LogOptions {
        path: "/journal".into(),
        wal: WalOptions {
            // One record each.
            segment_bytes: 1,
            ..options()
        },
        parts: part_options(),
        retention: Retention {
            longest_age: Duration::from_secs(3600),
            most_bytes: 1 << 20,
        },
        // Longer than any test.
        store: Some(bucket.store(Duration::from_secs(3600))),
        decode,
        on_thread: || {},
    }
}

fn start(disk: &LossyDisk, options: LogOptions) -> Log {
    Log::start(Arc::new(disk.clone()), Arc::new(|| NOW), options).unwrap()
}

/// Writes records, each durable before the next. All but the last become parts.
fn write(log: &Log, count: u64) {
    for number in 0..count {
        let receipt = log.offer(record(NOW, number), Durability::Request);
        receipt.unwrap().unwrap().wait().unwrap();
    }
}

/// The parts in the folder, by the names that their objects have.
fn local(disk: &LossyDisk) -> BTreeSet<String> {
    let paths = disk.list(Path::new(PARTS)).unwrap_or_default();
    let name = |path: &PathBuf| path.strip_prefix("/journal").unwrap().display().to_string();
    paths.iter().map(name).collect()
}

fn wait_for(log: &Log, parts: u64) {
    wait_until("the parts are written", || {
        (log.status().parts == parts).then_some(())
    });
}

fn wait_for_uploads(log: &Log, parts: u64) {
    wait_until("the parts are uploaded", || {
        (log.status().uploads.uploaded == parts).then_some(())
    });
}

/// Makes parts, and a segment that becomes one at the next start, with a log that has no store: a
/// request of one that is closed might still arrive.
fn parts_that_wait(disk: &LossyDisk, bucket: &Bucket, parts: u64) -> BTreeSet<String> {
    let options = LogOptions {
        store: None,
        ..log_options(bucket)
    };
    let log = start(disk, options);
    write(&log, parts + 1);
    wait_for(&log, parts);
    log.close();
    local(disk)
}

fn rows(part: &[u8]) -> i64 {
    let part = Bytes::copy_from_slice(part);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&part);
    metadata.unwrap().file_metadata().num_rows()
}

#[test]
fn parts_go_to_the_bucket_under_their_names_and_leave_the_folder() {
    let (bucket, disk) = (Bucket::start(Answers::AsItShould), LossyDisk::new());
    let log = start(&disk, log_options(&bucket));
    write(&log, 5);
    wait_for_uploads(&log, 4);
    let status = log.status();
    assert_eq!((status.parts, status.uploads.failures), (4, 0));
    assert_eq!(status.notes("the log"), Vec::<String>::new());
    log.close();
    assert!(local(&disk).is_empty());
    let objects = bucket.objects();
    assert_eq!(objects.len(), 4);
    for (at, (name, part)) in objects.iter().enumerate() {
        assert!(
            name.starts_with("requests/dt=2025-11-24/hr=16/part-a-"),
            "{name}"
        );
        let end = format!("-{:010}.parquet", at + 1);
        assert!(name.ends_with(&end), "{name} ends with {end}");
        assert_eq!(rows(part), 1);
    }
    assert_eq!(bucket.requests(), 4, "one for each part");
}

#[test]
fn a_store_that_refuses_gets_the_parts_later_under_the_same_names() {
    let (bucket, disk) = (Bucket::start(Answers::With503), LossyDisk::new());
    let log = start(&disk, log_options(&bucket));
    write(&log, 4);
    wait_for(&log, 3);
    wait_until("it failed", || {
        (log.status().uploads.failures > 1).then_some(())
    });
    let status = log.status();
    assert_eq!(status.problem, None, "the log itself works");
    let notes = status.notes("the log");
    assert!(
        notes[0].starts_with("the log is not uploaded at present, "),
        "{notes:?}"
    );
    assert!(
        notes[0].contains("s3://logs/feed") && notes[0].contains("503"),
        "{notes:?}"
    );
    // What was not uploaded before a stop is uploaded after the next start.
    log.close();
    drop(log);
    let waiting = local(&disk);
    assert_eq!(waiting.len(), 3);
    let log = start(&disk, log_options(&bucket));
    wait_until("it failed", || {
        (log.status().uploads.failures > 0).then_some(())
    });
    wait_for(&log, 1);
    bucket.answer_from_now_on(Answers::AsItShould);
    wait_for_uploads(&log, 4);
    assert_eq!(log.status().uploads.problem, None);
    log.close();
    assert!(local(&disk).is_empty());
    let names: BTreeSet<_> = bucket.objects().into_keys().collect();
    assert!(waiting.is_subset(&names), "{waiting:?} {names:?}");
    assert_eq!(names.len(), 4);
    assert!(bucket.made_each_once());
}

#[test]
fn a_store_that_hangs_holds_up_neither_the_log_nor_its_end() {
    let (bucket, disk) = (Bucket::start(Answers::Never), LossyDisk::new());
    let log = start(&disk, log_options(&bucket));
    write(&log, 2);
    wait_until("it is asked", || (bucket.requests() > 0).then_some(()));
    write(&log, 10);
    wait_for(&log, 11);
    assert_eq!(log.status().uploads.uploaded, 0);
    // It would wait for an hour.
    log.close();
    assert_eq!(local(&disk).len(), 11);
    drop(log);
    // One that waits less counts it as a failure, and goes on.
    let options = LogOptions {
        store: Some(bucket.store(Duration::from_secs(1))),
        ..log_options(&bucket)
    };
    let log = start(&disk, options);
    let problem = wait_until("it gives up", || log.status().uploads.problem);
    assert!(
        problem.contains("there is no answer within 1 s"),
        "{problem}"
    );
    bucket.answer_from_now_on(Answers::AsItShould);
    wait_for_uploads(&log, 12);
    log.close();
    assert!(local(&disk).is_empty());
    assert_eq!(bucket.objects().len(), 12);
    assert!(bucket.made_each_once());
}

#[test]
fn an_equal_object_is_success_also_when_its_answer_was_lost() {
    let (bucket, disk) = (Bucket::start(Answers::NotThoughItDid), LossyDisk::new());
    let log = start(&disk, log_options(&bucket));
    write(&log, 3);
    wait_until("the first is there", || {
        (!bucket.objects().is_empty() && log.status().uploads.failures > 0).then_some(())
    });
    let first = bucket.objects();
    bucket.answer_from_now_on(Answers::AsItShould);
    wait_for_uploads(&log, 2);
    assert_eq!(log.status().uploads.differing, 0);
    log.close();
    let objects = bucket.objects();
    assert_eq!(objects.len(), 2);
    assert!(first.iter().all(|(name, part)| objects[name] == *part));
    assert!(bucket.made_each_once());
    assert!(local(&disk).is_empty());
}

#[test]
fn another_object_of_a_parts_name_is_shown_and_nothing_is_overwritten() {
    let (bucket, disk) = (Bucket::start(Answers::With503), LossyDisk::new());
    let log = start(&disk, log_options(&bucket));
    write(&log, 4);
    wait_for(&log, 3);
    let name = local(&disk).pop_first().unwrap();
    let part = disk
        .read(&Path::new("/journal").join(&name), 0, usize::MAX)
        .unwrap();
    // As long as the part, and another.
    let other = vec![0; part.len()];
    bucket.put(&name, &other);
    bucket.answer_from_now_on(Answers::AsItShould);
    wait_until("it is found", || {
        (log.status().uploads.differing == 1).then_some(())
    });
    wait_for_uploads(&log, 2);
    let notes = log.status().notes("the log");
    assert!(
        notes[0].starts_with("the log has 1 parts of whose names"),
        "{notes:?}"
    );
    // What comes later is uploaded.
    write(&log, 1);
    wait_for_uploads(&log, 3);
    log.close();
    drop(log);
    assert_eq!(bucket.objects()[&name], other);
    assert!(local(&disk).contains(&name));
    // Once the other is moved away, the part takes its place at the next start.
    bucket.remove(&name);
    let log = start(&disk, log_options(&bucket));
    wait_for_uploads(&log, 2);
    assert_eq!(log.status().uploads.differing, 0);
    log.close();
    assert_eq!(bucket.objects()[&name], part);
    assert!(local(&disk).is_empty());
}

#[test]
fn what_waits_longer_than_it_may_is_deleted_and_its_rows_are_counted() {
    let (bucket, disk) = (Bucket::start(Answers::With503), LossyDisk::new());
    let waiting = parts_that_wait(&disk, &bucket, 5);
    let length = |name: &String| disk.length(&Path::new("/journal").join(name)).unwrap();
    let largest: u64 = waiting.iter().map(length).max().unwrap();
    let options = LogOptions {
        retention: Retention {
            most_bytes: 2 * largest,
            ..log_options(&bucket).retention
        },
        ..log_options(&bucket)
    };
    let log = start(&disk, options);
    wait_until("some are deleted", || {
        (log.status().removed > 0).then_some(())
    });
    wait_for(&log, 1);
    bucket.answer_from_now_on(Answers::AsItShould);
    let status = wait_until("all others are uploaded", || {
        let status = log.status();
        (status.removed + status.uploads.uploaded == 6).then_some(status)
    });
    log.close();
    assert!(local(&disk).is_empty());
    // Each part has one row.
    assert_eq!(status.uploads.lost_rows, status.removed);
    assert_eq!(bucket.objects().len() as u64, 6 - status.removed);
    let kept: Vec<_> = waiting
        .iter()
        .filter(|name| bucket.objects().contains_key(*name))
        .collect();
    assert!((1..=2).contains(&kept.len()), "{kept:?}");
    assert!(
        waiting
            .iter()
            .rev()
            .take(kept.len())
            .all(|name| kept.contains(&name))
    );
    let notes = status.notes("the log");
    let expected = format!("the log lost {} rows", status.removed);
    assert!(
        notes.iter().any(|note| note.starts_with(&expected)),
        "{notes:?}"
    );
}

#[test]
fn a_part_whose_segment_is_still_there_waits_for_it() {
    let (bucket, disk) = (Bucket::start(Answers::AsItShould), LossyDisk::new());
    let waiting = parts_that_wait(&disk, &bucket, 2);
    let first = waiting.first().unwrap();
    // As where a crash came before the deletion of the segment; here it cannot be read either.
    let name = Path::new(first).file_stem().unwrap().to_str().unwrap();
    let segment = name.replace("part-a", "requests") + ".seg";
    let path = Path::new("/journal/wal").join(segment);
    disk.create(&path)
        .unwrap()
        .append(b"not a segment, but as long as the header of one")
        .unwrap();
    let log = start(&disk, log_options(&bucket));
    wait_for_uploads(&log, 2);
    assert_eq!(local(&disk), BTreeSet::from([first.clone()]));
    assert!(!bucket.objects().contains_key(first));
    log.close();
    drop(log);
    disk.remove(&path).unwrap();
    let log = start(&disk, log_options(&bucket));
    wait_for_uploads(&log, 1);
    log.close();
    assert!(bucket.objects().contains_key(first));
}
