//! Replays of request logs: a ranking whose numbers give another page is reported.
#![allow(clippy::unwrap_used)]

use std::{fs::File, path::PathBuf};

use counterweight_impressions::{Replayed, replay};
use polars::prelude::*;
use tempfile::TempDir;

/// Two rankings of three candidates, with pages of two; the second was ranked without bait.
fn log(change: impl FnOnce(&mut DataFrame)) -> (TempDir, PathBuf) {
    let mut frame = df!(
        "ranking_id" => ["r", "r", "r", "s", "s", "s"],
        "candidate_id" => ["b", "a", "c", "x", "y", "z"],
        "k" => [2_i32; 6],
        "position" => [Some(1_i32), Some(2), None, None, Some(2), Some(1)],
        "p_engagement" => [0.5, 0.5, 0.4, 0.1, 0.2, 0.3],
        "w_engagement" => [1.0; 6],
        "p_bait" => [Some(0.1), Some(0.2), Some(0.9), None, None, None],
        "w_bait" => [Some(-1.0), Some(-1.0), Some(-1.0), None, None, None],
    )
    .unwrap();
    change(&mut frame);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.parquet");
    ParquetWriter::new(File::create(&path).unwrap())
        .finish(&mut frame)
        .unwrap();
    (folder, path)
}

fn replayed(change: impl FnOnce(&mut DataFrame)) -> Replayed {
    let (_folder, path) = log(change);
    replay([path.as_path()], &[]).unwrap()
}

#[test]
fn a_log_that_agrees_with_its_numbers_does_not_differ() {
    let replayed = replayed(|_| {});
    assert_eq!(
        (replayed.rankings, replayed.candidates, replayed.differing),
        (2, 6, 0)
    );
}

#[test]
fn every_way_in_which_a_ranking_differs_is_told() {
    let positions = |positions: [Option<i32>; 6]| {
        replayed(|frame| {
            frame
                .replace("position", Series::new("position".into(), positions).into())
                .unwrap();
        })
    };
    let swapped = positions([Some(2), Some(1), None, None, Some(2), Some(1)]);
    assert_eq!(swapped.differing, 1);
    let (ranking, difference) = &swapped.differences[0];
    assert_eq!(ranking, "r");
    assert!(
        difference.contains("place 1 shows \"a\"") && difference.contains("\"b\""),
        "{difference}"
    );
    let short = positions([Some(1), None, None, None, Some(2), Some(1)]);
    assert!(
        short.differences[0].1.contains("shows 1 candidates"),
        "{short:?}"
    );
    let twice = positions([Some(1), Some(1), None, None, Some(2), Some(1)]);
    assert_eq!(twice.differing, 1, "{twice:?}");
    let missing = replayed(|frame| {
        let values = [Some(0.5), None, Some(0.4), Some(0.1), Some(0.2), Some(0.3)];
        frame
            .replace(
                "p_engagement",
                Series::new("p_engagement".into(), values).into(),
            )
            .unwrap();
    });
    assert!(missing.differences[0].1.contains("missing"), "{missing:?}");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let (_folder, path) = log(|frame| {
        frame.drop_in_place("ranking_id").unwrap();
    });
    let error = replay([path.as_path()], &[]).unwrap_err().to_string();
    assert!(error.contains("not a part of a request log"), "{error}");
}
