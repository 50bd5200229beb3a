//! Parquet parts: complete or absent, once, and readable elsewhere.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{collections::HashMap, path::Path, process::Command, sync::Arc, time::Duration};

use crate::common::{HOUR, NOW, convert_numbers, open, options, part_options, record, start};
use counterweight_journal::{
    ClosedSegment, Column, Columns, Disk, Durability, JournalError, JournalFolder, Kind, LossyDisk,
    OsDisk, Record, Retention, Values, Wal, convert, retain,
};

const PARTS: &str = "/journal/requests/dt=2025-11-24/hr=16";

fn written(disk: &LossyDisk) -> ClosedSegment {
    let bench = start(disk, options()).unwrap();
    for number in 0..5 {
        bench
            .wal
            .offer(record(NOW, number), Durability::None)
            .unwrap();
    }
    bench.wal.close();
    bench.closed.lock().unwrap()[0].clone()
}

/// The files of the one hour.
fn parts(disk: &LossyDisk) -> Vec<(String, Vec<u8>)> {
    let paths = disk.list(Path::new(PARTS)).unwrap_or_default();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, disk.read(path, 0, usize::MAX).unwrap())
    };
    paths.iter().map(read).collect()
}

#[test]
fn a_crash_at_any_point_leaves_each_record_once() {
    let whole = LossyDisk::new();
    let segment = written(&whole);
    let converted = convert_numbers(&open(&whole).unwrap(), &segment).unwrap();
    assert_eq!(
        (converted.records, converted.rows, converted.refused),
        (5, 5, 0)
    );
    let [(name, expected)] = &parts(&whole)[..] else {
        panic!("there is one part")
    };
    assert!(
        name.starts_with("part-a-") && name.ends_with("-0000000001.parquet"),
        "{name}"
    );

    let mut done = false;
    for point in 0..40 {
        let disk = LossyDisk::new();
        let segment = written(&disk);
        let folder = open(&disk).unwrap();
        disk.die_after(point);
        done = convert_numbers(&folder, &segment).is_ok();
        drop(folder);
        disk.crash(0);
        let folder = open(&disk).unwrap();
        // Whoever reads now meets a complete part or none.
        for (name, bytes) in parts(&disk) {
            assert!(
                name.starts_with(".tmp-") || bytes.len() == expected.len(),
                "torn: {name}"
            );
        }
        if disk.length(&segment.path).is_ok() {
            convert_numbers(&folder, &segment).unwrap();
        }
        let found = parts(&disk);
        let complete: Vec<_> = found
            .iter()
            .filter(|(name, _)| name.starts_with("part-"))
            .collect();
        assert_eq!(complete.len(), 1, "point {point}");
        assert_eq!(complete[0].1.len(), expected.len());
        assert!(disk.length(&segment.path).is_err());
    }
    assert!(done, "more crash points than were tried");
}

#[test]
fn equal_content_is_success_and_other_content_is_an_error() {
    let disk = LossyDisk::new();
    let segment = written(&disk);
    let folder = open(&disk).unwrap();
    let bytes = disk.read(&segment.path, 0, usize::MAX).unwrap();
    let again = || {
        let mut file = disk.create(&segment.path).unwrap();
        file.append(&bytes).unwrap();
    };
    let first = convert_numbers(&folder, &segment).unwrap();
    let before = parts(&disk);
    again();
    assert_eq!(convert_numbers(&folder, &segment).unwrap(), first);
    assert_eq!(parts(&disk), before);
    again();
    let other = counterweight_journal::PartOptions {
        schema_version: "2".to_owned(),
        ..part_options()
    };
    let error = convert(&folder, &segment, &other, &crate::common::decode).unwrap_err();
    assert!(matches!(error, JournalError::PartDiffers { .. }));
    let text = error.to_string();
    assert!(text.contains(".seg") && text.contains(".parquet"), "{text}");
    assert_eq!(parts(&disk), before);
    assert!(disk.length(&segment.path).is_ok(), "the segment stays");
}

#[test]
fn damage_costs_one_record_and_is_reported() {
    let disk = LossyDisk::new();
    let segment = written(&disk);
    disk.flip(&segment.path, 44 + 9 + 8, 1);
    let converted = convert_numbers(&open(&disk).unwrap(), &segment).unwrap();
    assert_eq!((converted.records, converted.damaged), (4, vec![(53, 9)]));
}

#[test]
fn a_column_of_another_type_is_null_and_its_record_stays() {
    let disk = LossyDisk::new();
    let segment = written(&disk);
    let changing = |payload: &[u8]| {
        let values = match payload {
            b"3" => Values::Int64(vec![Some(3)]),
            _ => return crate::common::decode(payload),
        };
        Ok(Columns(vec![Column::new("number", values)]))
    };
    let folder = open(&disk).unwrap();
    let converted = convert(&folder, &segment, &part_options(), &changing).unwrap();
    assert_eq!((converted.records, converted.refused), (5, 0));
    assert_eq!(converted.left_out, 1);
    let why = converted.first_left_out.unwrap();
    assert!(
        why.contains("number") && why.contains("int64") && why.contains("string"),
        "{why}"
    );
}

#[test]
fn a_full_disk_leaves_the_segment() {
    let disk = LossyDisk::new();
    let segment = written(&disk);
    let folder = open(&disk).unwrap();
    disk.set_room(Some(100));
    assert!(convert_numbers(&folder, &segment).is_err());
    disk.set_room(None);
    assert_eq!(convert_numbers(&folder, &segment).unwrap().records, 5);
}

#[test]
fn the_oldest_parts_go_first_and_unfinished_ones_never() {
    let disk = LossyDisk::new();
    let bench = start(&disk, options()).unwrap();
    for number in 0..4 {
        let time = NOW + HOUR * i64::try_from(number).unwrap();
        bench
            .wal
            .offer(record(time, number), Durability::None)
            .unwrap();
    }
    bench.wal.close();
    for segment in bench.closed.lock().unwrap().iter() {
        convert_numbers(&bench.folder, segment).unwrap();
    }
    let unfinished = Path::new(PARTS).join(".tmp-part-x.parquet");
    disk.create(&unfinished).unwrap();
    let retain = |longest_age, most_bytes, now| {
        let retention = Retention {
            longest_age,
            most_bytes,
        };
        retain(&bench.folder, Kind::Requests, retention, now).unwrap()
    };
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    assert_eq!(retain(hours(100), u64::MAX, NOW + 4 * HOUR).parts, 0);
    // The first hour ended three hours and a second ago.
    assert_eq!(retain(hours(3), u64::MAX, NOW + 4 * HOUR).parts, 1);
    assert_eq!(parts(&disk).len(), 1, "the unfinished part stays");
    let removed = retain(hours(100), 0, NOW + 4 * HOUR);
    assert_eq!(removed.parts, 3);
    assert!(disk.length(&unfinished).is_ok());
}

/// Two requests; the second lacks a column and has a new one.
fn every_type(payload: &[u8]) -> Result<Columns, String> {
    let column = Column::new;
    let text = |text: &'static str| Some(text.into());
    Ok(Columns(match payload {
        b"1" => vec![
            column("s", Values::Text(vec![text("ä"), None])),
            column("i", Values::Int32(vec![Some(-1), None])),
            Column {
                description: "numeric".to_owned(),
                ..column("l", Values::Int64(vec![Some(1 << 60), None]))
            },
            column("d", Values::Float64(vec![Some(0.1), None])),
            column("b", Values::Bool(vec![Some(true), None])),
            column(
                "t",
                Values::TextList(vec![Some(vec!["x".to_owned(), "y".to_owned()]), None]),
            ),
            column(
                "f",
                Values::FloatList(vec![Some(vec![]), Some(vec![0.5, -2.0])]),
            ),
        ],
        _ => vec![
            column("s", Values::Text(vec![text("z")])),
            column("new", Values::Int32(vec![Some(9)])),
        ],
    }))
}

#[test]
fn pyarrow_reads_a_part() {
    let Some(python) = counterweight_test_support::python("pyarrow.parquet") else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let folder = JournalFolder::open(Arc::new(OsDisk), temporary.path())
        .map(Arc::new)
        .unwrap();
    let (sender, closed) = std::sync::mpsc::channel();
    let (wal, _) = Wal::start(
        Arc::clone(&folder),
        Arc::new(|| NOW),
        options(),
        move |segment| {
            let _ = sender.send(segment);
        },
    )
    .unwrap();
    for payload in [b"1".to_vec(), b"2".to_vec()] {
        wal.offer(
            Record {
                time_ms: NOW,
                payload,
            },
            Durability::None,
        )
        .unwrap();
    }
    wal.close();
    let segment = closed.recv().unwrap();
    let converted = convert(&folder, &segment, &part_options(), &every_type).unwrap();
    assert_eq!((converted.records, converted.rows), (2, 3));
    let script = r"
import sys, pyarrow.parquet as pq
f = pq.ParquetFile(sys.argv[1])
said = {b'counterweight.schema': b'1', b'counterweight.column.l': b'numeric'}
assert f.metadata.metadata == said, f.metadata.metadata
assert f.metadata.row_group(0).column(0).compression == 'ZSTD'
print(f.schema_arrow.to_string())
print(f.read().to_pydict())
";
    let part = converted.part.unwrap();
    let output = Command::new(python)
        .args(["-c", script])
        .arg(&part)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = String::from_utf8(output.stdout).unwrap();
    let types: HashMap<_, _> = read
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    for (name, expected) in [
        ("s", "string"),
        ("i", "int32"),
        ("l", "int64"),
        ("d", "double"),
        ("b", "bool"),
        ("t", "list<element: string>"),
        ("f", "list<element: float>"),
        ("new", "int32"),
    ] {
        assert_eq!(types.get(name), Some(&expected), "{read}");
    }
    let values = "{'s': ['ä', None, 'z'], 'i': [-1, None, None], 'l': [1152921504606846976, None, None], 'd': [0.1, None, None], 'b': [True, None, None], 't': [['x', 'y'], None, None], 'f': [[], [0.5, -2.0], None], 'new': [None, None, 9]}";
    assert!(read.contains(values), "{read}");
}
