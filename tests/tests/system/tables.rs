//! Every kind of Parquet file that the program writes opens in pandas, pyarrow, polars and DuckDB.

use std::{path::Path, process::Command};

use crate::support::{json, models, python, root, run, stderr, stdout};

/// Rows of each file, as found by all of the readers; `None` where they are not installed.
pub(crate) fn rows_elsewhere(files: &[&Path]) -> Option<Vec<u64>> {
    let python = python("duckdb, pandas, polars, pyarrow")?;
    let output = Command::new(python)
        .arg(root().join("tests/python/open_tables.py"))
        .args(files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = stdout(&output);
    Some(rows.lines().map(|line| line.parse().unwrap()).collect())
}

#[test]
fn generated_predicted_and_computed_tables_open_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed");
    let output = run([
        "data",
        "generate",
        "--seed",
        "7",
        "--requests",
        "40",
        "--out",
        feed.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let impressions = feed.join("impressions.parquet");
    let predictions = folder.path().join("predictions.parquet");
    let output = run([
        "predict",
        "--model",
        models().join("engagement").to_str().unwrap(),
        "--dataset",
        feed.join("dataset.toml").to_str().unwrap(),
        "--out",
        predictions.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let curves = folder.path().join("curves.parquet");
    let front = json([
        "bench",
        "front",
        "--log",
        impressions.to_str().unwrap(),
        "--part",
        "all",
        "--replicates",
        "2",
        "--out",
        curves.to_str().unwrap(),
    ]);
    let candidates = front["read"]["candidates"].as_u64().unwrap();
    let breakpoints = front["front"]["breakpoints"].as_u64().unwrap();
    let truth = feed.join("truth.parquet");
    let files = [&impressions, &truth, &predictions, &curves].map(|path| path.as_path());
    if let Some(rows) = rows_elsewhere(&files) {
        // One row for λ = 0 and one for each interval between breakpoints.
        let expected = [candidates, candidates, candidates, breakpoints + 2];
        assert_eq!(rows, expected);
    }
}

#[test]
fn the_shipped_sample_opens_elsewhere() {
    let sample = root().join("data/sample");
    let files = ["impressions.parquet", "truth.parquet"].map(|name| sample.join(name));
    if let Some(rows) = rows_elsewhere(&files.each_ref().map(|path| path.as_path())) {
        assert_eq!(rows, [50_093, 50_093]);
    }
}
