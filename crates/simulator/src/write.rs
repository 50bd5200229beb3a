//! Writes a simulation to Parquet in bounded memory: each row group is written when it is full.

use std::fs;
use std::path::Path;

use counterweight_files::write_file;
use polars::prelude::{DataFrame, JsonFormat, JsonWriter, PolarsResult, SerWriter};

use crate::config::{Config, SimulatorError};
use crate::frame;
use crate::parquet_file::ParquetFile;
use crate::request::{Feed, Request};

/// Name of the impression log in the folder.
pub const IMPRESSIONS_FILE: &str = "impressions.parquet";
/// Name of the truth file in the folder.
pub const TRUTH_FILE: &str = "truth.parquet";
/// Name of the file with the candidates of the request that follows the log.
pub const CANDIDATES_FILE: &str = "candidates.ndjson";
/// Name of the dataset's description in the folder.
pub const DATASET_FILE: &str = "dataset.toml";

/// A row group ends with the request that reaches this number of rows. Only one group is in memory.
const ROW_GROUP_ROWS: usize = 32_768;
const DATASET_TOML: &str = include_str!("dataset.toml");

/// Counts and size of a written simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests.
    pub requests: u64,
    /// Rows of the log, one per candidate.
    pub rows: u64,
    /// Rows that were shown. Only these have labels.
    pub labelled: u64,
    /// Labelled rows with engagement.
    pub engaged: u64,
    /// Labelled rows that a user reported as engagement bait.
    pub baits: u64,
    /// Bytes of the impression log and the truth file.
    pub bytes: u64,
}

/// Simulates a feed and writes [`IMPRESSIONS_FILE`], [`TRUTH_FILE`], [`CANDIDATES_FILE`] and
/// [`DATASET_FILE`] to `out_dir`, which is created if needed. Existing files with these names are
/// replaced when the new ones are complete. `progress` receives the number of finished requests
/// after each row group.
///
/// # Errors
/// [`SimulatorError::Config`] if a field of `config` is out of range; [`SimulatorError::Write`] and
/// [`SimulatorError::Encode`] if a file cannot be written.
pub fn simulate(
    config: &Config,
    out_dir: &Path,
    mut progress: impl FnMut(u64),
) -> Result<Summary, SimulatorError> {
    config.check()?;
    fs::create_dir_all(out_dir).map_err(|source| SimulatorError::Write {
        path: out_dir.to_owned(),
        source,
    })?;
    let mut log = ParquetFile::create(
        out_dir.join(IMPRESSIONS_FILE),
        &encoded(out_dir, frame::impressions(&[], config))?,
    )?;
    let mut truth = ParquetFile::create(
        out_dir.join(TRUTH_FILE),
        &encoded(out_dir, frame::truth(&[]))?,
    )?;
    let mut feed = Feed::new(config.clone());
    let mut summary = Summary::default();
    let mut group: Vec<Request> = Vec::new();
    let mut rows = 0;
    for number in 0..config.requests {
        let request = feed.request(number);
        rows += request.candidates.len();
        summary.count(&request);
        group.push(request);
        if rows >= ROW_GROUP_ROWS || number + 1 == config.requests {
            log.write(frame::impressions(&group, config))?;
            truth.write(frame::truth(&group))?;
            group.clear();
            rows = 0;
            progress(number + 1);
        }
    }
    summary.bytes = log.finish()? + truth.finish()?;
    replace(
        out_dir,
        CANDIDATES_FILE,
        &candidates(out_dir, &feed.request(config.requests))?,
    )?;
    replace(out_dir, DATASET_FILE, DATASET_TOML.as_bytes())?;
    Ok(summary)
}

/// The candidates of a request as NDJSON.
fn candidates(dir: &Path, request: &Request) -> Result<Vec<u8>, SimulatorError> {
    let mut bytes = Vec::new();
    let mut rows = encoded(dir, frame::candidates(request))?;
    JsonWriter::new(&mut bytes)
        .with_json_format(JsonFormat::JsonLines)
        .finish(&mut rows)
        .map_err(|source| SimulatorError::Encode {
            path: dir.join(CANDIDATES_FILE),
            source,
        })?;
    Ok(bytes)
}

impl Summary {
    fn count(&mut self, request: &Request) {
        self.requests += 1;
        self.rows += request.candidates.len() as u64;
        for shown in request
            .candidates
            .iter()
            .filter_map(|candidate| candidate.shown)
        {
            self.labelled += 1;
            self.engaged += u64::from(shown.labels[0]);
            self.baits += u64::from(shown.labels[1]);
        }
    }
}

/// Adds the path to an error of encoding.
fn encoded(path: &Path, frame: PolarsResult<DataFrame>) -> Result<DataFrame, SimulatorError> {
    frame.map_err(|source| SimulatorError::Encode {
        path: path.to_owned(),
        source,
    })
}

fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), SimulatorError> {
    let path = dir.join(name);
    write_file(&path, bytes).map_err(|source| SimulatorError::Write { path, source })
}
