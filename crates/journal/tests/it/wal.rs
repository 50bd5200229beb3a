//! The write-ahead log over a disk that crashes, fills up and refuses.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{path::Path, sync::atomic::Ordering, thread::yield_now, time::Duration};

use crate::common::{HOUR, NOW, all_numbers, assert_clean, numbers, open, options, record, start};
use counterweight_journal::{
    Disk, DropReason, Durability, JournalError, JournalFolder, LossyDisk, OsDisk, Record,
};
use counterweight_test_support::wait_until;

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_until(what, || is_so().then_some(()));
}

#[test]
fn nothing_acknowledged_is_missing_at_any_crash_point() {
    let mut died = 0;
    for point in 0..60 {
        for torn in [0, 5, 1000] {
            let disk = LossyDisk::new();
            disk.die_after(point);
            let mut acknowledged = Vec::new();
            if let Ok(bench) = start(&disk, options()) {
                for number in 0..12 {
                    // Each third record is of another hour, so that segments rotate, too.
                    let time = NOW + HOUR * i64::try_from(number / 3).unwrap();
                    let taken = bench.wal.offer(record(time, number), Durability::Request);
                    match taken.map(|receipt| receipt.unwrap().wait()) {
                        Ok(Ok(())) => acknowledged.push(number),
                        _ => died += 1,
                    }
                }
            }
            disk.crash(torn);
            let bench = start(&disk, options()).unwrap();
            let found = all_numbers(&disk);
            for number in &acknowledged {
                assert!(
                    found.contains(number),
                    "point {point}: {number} is missing of {found:?}"
                );
            }
            let mut once = found.clone();
            once.dedup();
            assert_eq!(once, found, "a record is there twice");
            assert!(bench.recovered.refused.is_empty());
        }
    }
    assert!(died > 0, "no crash point was reached");
}

#[test]
fn with_an_interval_only_the_end_is_lost() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    let durability = Durability::Interval(Duration::from_millis(20));
    for number in 0..50 {
        bench.wal.offer(record(NOW, number), durability).unwrap();
    }
    eventually("the records are synced", || {
        all_numbers(&disk).len() == 50 && disk.unsynced_bytes() == 0
    });
    bench.wal.offer(record(NOW, 50), Durability::None).unwrap();
    eventually("the last is written", || all_numbers(&disk).len() == 51);
    disk.crash(0);
    drop(start(&disk, options()).unwrap());
    assert_eq!(all_numbers(&disk), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_costs_counted_records_and_recovers_by_itself() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    let offer = |number| {
        let taken = bench.wal.offer(record(NOW, number), Durability::Request);
        taken.unwrap().unwrap().wait()
    };
    assert_eq!(offer(1000), Ok(()));
    disk.set_room(Some(20));
    let answers: Vec<_> = (1001..1020).map(offer).collect();
    let lost = answers
        .iter()
        .filter(|answer| **answer == Err(DropReason::DiskFull))
        .count();
    let kept = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((lost + kept, kept), (19, 1));
    assert_eq!(bench.wal.dropped(DropReason::DiskFull), 18);
    disk.set_room(None);
    eventually("a record is written again", || offer(2000).is_ok());
    bench.wal.close();
    let dropped = bench.wal.dropped(DropReason::DiskFull);
    assert!(dropped >= 18);
    assert_eq!(all_numbers(&disk), [1000, 1001, 2000]);
    assert_clean(&disk);
    assert_eq!(
        bench
            .wal
            .offer(record(NOW, 3000), Durability::None)
            .unwrap_err(),
        DropReason::Closed
    );
}

#[test]
fn a_failed_sync_and_a_read_only_disk_are_counted_to_the_row() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    let offer = |number| {
        let taken = bench.wal.offer(record(NOW, number), Durability::Request);
        taken.unwrap().unwrap().wait()
    };
    assert_eq!(offer(1), Ok(()));
    disk.set_syncs_fail(true);
    assert_eq!(offer(2), Err(DropReason::WriteFailed));
    disk.set_syncs_fail(false);
    eventually("it goes on after a failed sync", || offer(3).is_ok());
    disk.set_read_only(true);
    assert_eq!(offer(4), Err(DropReason::WriteFailed));
    disk.set_read_only(false);
    eventually("it goes on after a read-only disk", || offer(5).is_ok());
    bench.wal.close();
    assert_eq!(all_numbers(&disk), [1, 3, 5]);
    assert!(bench.wal.dropped(DropReason::WriteFailed) >= 2);
}

#[test]
fn every_record_is_written_or_counted() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    let (mut offered, mut refused) = (3000, 0);
    for number in 0..3000 {
        if number == 1000 {
            disk.set_syncs_fail(true);
            disk.set_room(Some(500));
        }
        if number == 2000 {
            disk.set_syncs_fail(false);
            disk.set_room(None);
            eventually("records are written again", || {
                offered += 1;
                let taken = bench.wal.offer(record(NOW, 0), Durability::Request);
                taken.is_ok_and(|receipt| receipt.unwrap().wait().is_ok())
            });
        }
        let durability = Durability::Interval(Duration::from_millis(1));
        refused += u64::from(bench.wal.offer(record(NOW, number), durability).is_err());
        if number % 50 == 0 {
            yield_now();
        }
    }
    disk.set_syncs_fail(false);
    bench.wal.close();
    let dropped: u64 = DropReason::ALL
        .iter()
        .map(|reason| bench.wal.dropped(*reason))
        .sum();
    assert!(dropped >= refused);
    assert_eq!(all_numbers(&disk).len() as u64 + dropped, offered);
}

#[test]
fn a_segment_has_one_hour_also_when_the_clock_jumps_back() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    let times = [NOW, NOW + 1, NOW + HOUR, NOW, NOW + 2];
    for (number, time) in (0..).zip(times) {
        bench
            .wal
            .offer(record(time, number), Durability::None)
            .unwrap();
    }
    bench.wal.close();
    let closed = bench.closed.lock().unwrap();
    let found: Vec<_> = closed
        .iter()
        .map(|segment| numbers(&disk, &segment.path))
        .collect();
    assert_eq!(found, [vec![0, 1], vec![2], vec![3, 4]]);
    let mut sequences: Vec<_> = closed.iter().map(|segment| segment.sequence).collect();
    sequences.dedup();
    assert_eq!(sequences, [1, 2, 3]);
}

#[test]
fn segments_rotate_by_size_and_age() {
    let disk = LossyDisk::new();
    let small = counterweight_journal::WalOptions {
        segment_bytes: 100,
        ..options()
    };
    let bench = start(&disk, small).unwrap();
    for _ in 0..3 {
        let payload = vec![b'1'; 40];
        bench
            .wal
            .offer(
                Record {
                    time_ms: NOW,
                    payload,
                },
                Durability::None,
            )
            .unwrap();
    }
    eventually("two are full", || bench.closed.lock().unwrap().len() == 2);
    bench.now.store(NOW + 600_000, Ordering::Relaxed);
    eventually("the last is old", || {
        bench.closed.lock().unwrap().len() == 3
    });
}

#[test]
fn the_queue_is_bounded() {
    let disk = LossyDisk::new();
    let small = counterweight_journal::WalOptions {
        queue_bytes: 1000,
        ..options()
    };
    let bench = start(&disk, small).unwrap();
    let large = Record {
        time_ms: NOW,
        payload: vec![1; 2000],
    };
    assert_eq!(
        bench.wal.offer(large, Durability::None).unwrap_err(),
        DropReason::TooLarge
    );
    let mut full = 0;
    for _ in 0..100_000 {
        let some = Record {
            time_ms: NOW,
            payload: vec![1; 300],
        };
        full += u64::from(
            bench
                .wal
                .offer(some, Durability::None)
                .is_err_and(|why| why == DropReason::QueueFull),
        );
    }
    assert!(full > 0);
    assert_eq!(bench.wal.dropped(DropReason::QueueFull), full);
}

#[test]
fn a_folder_has_one_process_and_keeps_its_run() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("a/journal");
    let open = || JournalFolder::open(std::sync::Arc::new(OsDisk), &path);
    let first = open().unwrap();
    let Err(error) = open() else {
        panic!("two processes have the folder")
    };
    assert!(matches!(error, JournalError::Locked { .. }));
    assert!(error.to_string().contains("another process"), "{error}");
    let run = first.run();
    drop(first);
    assert_eq!(open().unwrap().run(), run);
}

#[test]
fn a_restart_cuts_torn_ends_and_goes_on_with_the_sequence() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    let taken = bench
        .wal
        .offer(record(NOW, 1), Durability::Request)
        .unwrap();
    taken.unwrap().wait().unwrap();
    bench
        .wal
        .offer(record(NOW, 2_000_000), Durability::None)
        .unwrap();
    eventually("both are written", || all_numbers(&disk).len() == 2);
    disk.crash(6);
    let bench = start(&disk, options()).unwrap();
    assert_eq!(
        (bench.recovered.records, bench.recovered.torn_bytes),
        (1, 6)
    );
    assert_clean(&disk);
    let first = bench.closed.lock().unwrap()[0].clone();
    bench.wal.offer(record(NOW, 3), Durability::None).unwrap();
    bench.wal.close();
    assert!(bench.closed.lock().unwrap()[1].sequence > first.sequence);
    assert_eq!(all_numbers(&disk), [1, 3]);
}

#[test]
fn a_newer_segment_stays_and_is_reported() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    bench.wal.offer(record(NOW, 1), Durability::None).unwrap();
    bench.wal.close();
    drop(bench);
    let path = disk.list(Path::new("/journal/wal")).unwrap().remove(0);
    disk.flip(&path, 8, 3);
    disk.crash(0);
    let bench = start(&disk, options()).unwrap();
    assert!(matches!(
        bench.recovered.refused[..],
        [JournalError::NewerVersion { .. }]
    ));
    assert_eq!(disk.list(Path::new("/journal/wal")).unwrap(), [path]);
    drop(bench);
    disk.crash(0);
    assert!(open(&disk).is_ok());
}
