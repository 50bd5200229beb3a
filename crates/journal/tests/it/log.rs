//! A log that runs by itself: what is lost is counted, and what is not becomes parts.
#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::Arc, time::Duration};

use counterweight_journal::{
    Disk as _, DropReason, Durability, Log, LogOptions, LogStatus, LossyDisk, Retention, WalOptions,
};
use counterweight_test_support::wait_until;

use crate::common::{NOW, assert_clean, decode, options, part_options, record};

fn log_options() -> LogOptions {
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
        store: None,
        decode,
        on_thread: || {},
    }
}

fn start(disk: &LossyDisk, options: LogOptions) -> Log {
    Log::start(Arc::new(disk.clone()), Arc::new(|| NOW), options).unwrap()
}

fn dropped(status: &LogStatus, reason: DropReason) -> u64 {
    let found = status.dropped.iter().find(|(one, _)| *one == reason);
    found.unwrap().1
}

fn offer(log: &Log, number: u64) -> Result<(), DropReason> {
    let receipt = log.offer(record(NOW, number), Durability::Request)?;
    receipt.unwrap().wait()
}

#[test]
fn records_become_parts_and_a_restart_converts_the_rest() {
    let disk = LossyDisk::new();
    let log = start(&disk, log_options());
    for number in 0..5 {
        offer(&log, number).unwrap();
    }
    // The last segment is still open.
    wait_until("four parts", || (log.status().parts == 4).then_some(()));
    log.close();
    assert_eq!(log.status().written, 5);
    drop(log);
    let log = start(&disk, log_options());
    wait_until("the fifth part", || (log.status().parts == 1).then_some(()));
    assert_eq!(log.status().rows, 1);
    assert_eq!(log.status().backlog_bytes, 0);
    log.close();
    assert!(disk.list(Path::new("/journal/wal")).unwrap().is_empty());
}

#[test]
fn a_folder_that_cannot_be_opened_costs_what_comes_until_it_can() {
    let disk = LossyDisk::new();
    disk.set_read_only(true);
    let log = start(&disk, log_options());
    for number in 0..3 {
        assert_eq!(offer(&log, number), Err(DropReason::NotOpen));
    }
    let status = log.status();
    assert_eq!(dropped(&status, DropReason::NotOpen), 3);
    let problem = status.problem.unwrap();
    assert!(problem.contains("/journal"), "{problem}");
    disk.set_read_only(false);
    wait_until("the folder is open", || offer(&log, 4).ok());
    assert_eq!(log.status().problem, None);
    log.close();
    assert_clean(&disk);
}

#[test]
fn what_a_full_disk_costs_is_counted_to_the_record() {
    let disk = LossyDisk::new();
    let log = start(&disk, log_options());
    offer(&log, 0).unwrap();
    disk.set_room(Some(0));
    for number in 1..4 {
        assert_eq!(offer(&log, number), Err(DropReason::DiskFull));
    }
    let status = log.status();
    assert_eq!(dropped(&status, DropReason::DiskFull), 3);
    assert_eq!(status.written, 1);
    disk.set_room(None);
    wait_until("the disk is written again", || offer(&log, 4).ok());
    log.close();
}

#[test]
fn segments_that_cannot_be_converted_take_no_more_than_the_log_may() {
    let disk = LossyDisk::new();
    let options = LogOptions {
        retention: Retention {
            most_bytes: 100,
            ..log_options().retention
        },
        decode: |_| {
            // As long as a conversion that never ends.
            std::thread::sleep(Duration::from_secs(3600));
            Err(String::new())
        },
        ..log_options()
    };
    let log = start(&disk, options);
    let mut taken = 0;
    wait_until("the room is used up", || {
        let offered = offer(&log, taken);
        taken += u64::from(offered.is_ok());
        (offered == Err(DropReason::Backlog)).then_some(())
    });
    assert!((2..5).contains(&taken), "{taken}");
}

#[test]
fn a_segment_whose_conversion_panics_stays_and_the_next_is_converted() {
    let disk = LossyDisk::new();
    let options = LogOptions {
        decode: |payload| match payload {
            b"0" => panic!("on purpose"),
            payload => decode(payload),
        },
        ..log_options()
    };
    let log = start(&disk, options);
    for number in 0..3 {
        offer(&log, number).unwrap();
    }
    wait_until("the second is converted", || {
        (log.status().parts == 1).then_some(())
    });
    assert_eq!(log.status().unreadable, 1);
    log.close();
    let left = disk.list(Path::new("/journal/wal")).unwrap();
    assert_eq!(
        left.len(),
        2,
        "the first stays, and the third is open: {left:?}"
    );
}
