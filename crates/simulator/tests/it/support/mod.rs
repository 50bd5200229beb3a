//! Shared by the simulator's tests: reads a log back into rows.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "each test file uses only some items"
)]

use std::fs::File;
use std::path::{Path, PathBuf};

use counterweight_simulator::{Config, IMPRESSIONS_FILE, TRUTH_FILE, simulate};
use polars::prelude::*;

/// A file or folder in the workspace's `data`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data")
        .join(name)
}

pub fn read(dir: &Path, name: &str) -> DataFrame {
    ParquetReader::new(File::open(dir.join(name)).unwrap())
        .finish()
        .unwrap()
}

/// A log and its truth, in memory.
pub struct Simulated {
    pub log: DataFrame,
    pub truth: DataFrame,
}

impl Simulated {
    pub fn new(config: &Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        simulate(config, dir.path(), |_| {}).unwrap();
        Self::read(dir.path())
    }

    pub fn read(dir: &Path) -> Self {
        Self {
            log: read(dir, IMPRESSIONS_FILE),
            truth: read(dir, TRUTH_FILE),
        }
    }

    /// A numeric or boolean column of either file, as doubles.
    pub fn numbers(&self, name: &str) -> Vec<Option<f64>> {
        let column = self.column(name).cast(&DataType::Float64).unwrap();
        column.f64().unwrap().iter().collect()
    }

    pub fn texts(&self, name: &str) -> Vec<Option<String>> {
        self.column(name)
            .str()
            .unwrap()
            .iter()
            .map(|value| value.map(str::to_owned))
            .collect()
    }

    pub fn lists(&self, name: &str) -> Vec<Option<Series>> {
        let column = self.column(name);
        let list = column.list().unwrap();
        (0..list.len()).map(|row| list.get_as_series(row)).collect()
    }

    fn column(&self, name: &str) -> &Column {
        self.log
            .column(name)
            .or_else(|_| self.truth.column(name))
            .unwrap()
    }

    /// The range of each request's rows.
    pub fn requests(&self) -> Vec<std::ops::Range<usize>> {
        let ids = self.texts("request_id");
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for row in 0..ids.len() {
            match ranges.last_mut() {
                Some(range) if ids[range.start] == ids[row] => range.end = row + 1,
                _ => ranges.push(row..row + 1),
            }
        }
        ranges
    }
}
