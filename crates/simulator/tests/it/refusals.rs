//! Invalid configurations and folders that cannot be written are refused; errors name the field or
//! path.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use counterweight_simulator::{Config, simulate};

fn refusal(config: &Config) -> String {
    let dir = tempfile::tempdir().unwrap();
    let error = simulate(config, dir.path(), |_| {})
        .unwrap_err()
        .to_string();
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is written"
    );
    error
}

#[test]
fn a_field_out_of_its_range_is_named() {
    let fine = Config {
        requests: 3,
        ..Config::default()
    };
    for (config, expected) in [
        (
            Config {
                requests: 0,
                ..fine.clone()
            },
            "requests: must be at least 1",
        ),
        (
            Config {
                requests: 2_000_000_000,
                ..fine.clone()
            },
            "requests: 2000000000 is above the limit, 1000000000",
        ),
        (
            Config {
                request_every_ms: 0,
                ..fine.clone()
            },
            "request_every_ms: 0 must be from 1 to 86400000",
        ),
        (
            Config {
                k: 0,
                ..fine.clone()
            },
            "k: must be at least 1",
        ),
        (
            Config {
                k: 21,
                ..fine.clone()
            },
            "k: 21 is more than the minimum number of candidates of a request, 20",
        ),
        (
            Config {
                candidates_min: 40,
                ..fine.clone()
            },
            "candidates_min: 40 is above candidates_max, 30",
        ),
        (
            Config {
                candidates_max: 1_001,
                ..fine.clone()
            },
            "candidates_max: 1001 is above the limit, 1000",
        ),
        (
            Config {
                lambda_low: -0.1,
                ..fine.clone()
            },
            "lambda_low: -0.1 must be finite and at least 0",
        ),
        (
            Config {
                lambda_low: f64::NAN,
                ..fine.clone()
            },
            "lambda_low: NaN must be finite and at least 0",
        ),
        (
            Config {
                lambda_high: 0.0,
                ..fine.clone()
            },
            "lambda_high: 0 must be finite and above lambda_low, 0",
        ),
        (
            Config {
                lambda_high: f64::INFINITY,
                ..fine
            },
            "lambda_high: inf must be finite and above lambda_low, 0",
        ),
    ] {
        assert_eq!(refusal(&config), expected);
    }
}

#[test]
fn a_folder_that_cannot_be_created_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = simulate(
        &Config {
            requests: 1,
            ..Config::default()
        },
        &file.join("out"),
        |_| {},
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("file/out") && error.contains("choose a folder that can be written to"),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    // A folder at the path of the file, so that the test also works for root.
    std::fs::create_dir(dir.path().join("impressions.parquet")).unwrap();
    let error = simulate(
        &Config {
            requests: 1,
            ..Config::default()
        },
        dir.path(),
        |_| {},
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("impressions.parquet") && error.contains("choose a folder"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn the_smallest_run_is_one_request_with_k_candidates() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        requests: 1,
        candidates_min: 1,
        candidates_max: 1,
        k: 1,
        ..Config::default()
    };
    let summary = simulate(&config, dir.path(), |_| {}).unwrap();
    assert_eq!(
        (summary.requests, summary.rows, summary.labelled),
        (1, 1, 1)
    );
}
