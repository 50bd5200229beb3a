//! Writes an impression log: ranked requests in the columns of `data/SCHEMA.md`, which the
//! benchmark and other programs can read.

mod frame;

use std::{collections::HashSet, fs::File, path::Path, path::PathBuf};

use counterweight_dataset::ParquetRows;
use counterweight_files::AtomicFile;
use polars::prelude::PolarsError;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{error::LogError, ranked::RankedRequest};

/// Rows after which a row group is written. It is completed with the last request, and only one
/// group is in memory.
const ROW_GROUP_ROWS: usize = 65_536;

/// The size of a written log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WrittenLog {
    /// Requests.
    pub requests: u64,
    /// Candidates of all requests, which are the rows of the file.
    pub candidates: u64,
    /// Requests whose λ was drawn at random.
    pub explored: u64,
    /// Requests that were left out because the log already has a request with the same id.
    pub repeated: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// A writer of a Parquet file, which gets its name when it is complete. If the writer is dropped
/// before [`finish`](Self::finish), no file is left behind.
pub struct LogWriter {
    path: PathBuf,
    objectives: Vec<String>,
    unfinished: AtomicFile,
    writer: ParquetRows<File>,
    /// Hashes of the request ids that were added.
    seen: HashSet<u64>,
    group: Vec<RankedRequest>,
    group_rows: usize,
    written: WrittenLog,
}

impl LogWriter {
    /// Begins a log with these objectives, in the order of their weights.
    ///
    /// # Errors
    /// [`LogError::Write`], also if the name does not end in `.parquet`.
    pub fn create(path: &Path, objectives: &[String]) -> Result<Self, LogError> {
        let refuse = |problem: &str| Err(wrong(path, &problem));
        if path.extension().is_none_or(|ending| ending != "parquet") {
            return refuse("the name must end in .parquet");
        }
        if path.is_dir() {
            return refuse("this is a folder; name a file in it");
        }
        if objectives.is_empty() {
            return refuse("a log needs at least one objective; name one");
        }
        let unfinished = AtomicFile::create(path).map_err(|error| wrong(path, &error))?;
        let file = unfinished.file().try_clone();
        let file = file.map_err(|error| wrong(path, &error))?;
        let empty = frame::rows(&[], objectives).map_err(|error| wrong(path, &error))?;
        let writer =
            ParquetRows::begin(file, empty.schema()).map_err(|error| wrong(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            objectives: objectives.to_vec(),
            unfinished,
            writer,
            seen: HashSet::new(),
            group: Vec::new(),
            group_rows: 0,
            written: WrittenLog::default(),
        })
    }

    /// Adds a request. If the log already has a request with this id, the request is only counted:
    /// each id occurs once in a log.
    ///
    /// # Errors
    /// [`LogError::Request`] if it does not fit the schema, and [`LogError::Write`].
    pub fn push(&mut self, request: RankedRequest) -> Result<(), LogError> {
        self.check(&request)?;
        if !self
            .seen
            .insert(xxh3_64_with_seed(request.id.as_bytes(), 0))
        {
            self.written.repeated += 1;
            return Ok(());
        }
        self.written.requests += 1;
        self.written.candidates += request.candidates.len() as u64;
        self.written.explored += u64::from(request.draw.is_some());
        self.group_rows += request.candidates.len();
        self.group.push(request);
        if self.group_rows >= ROW_GROUP_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Whether no request has been added.
    pub fn is_empty(&self) -> bool {
        self.written.requests == 0
    }

    /// Writes the remaining rows, and gives the file its name once all data is on disk.
    ///
    /// # Errors
    /// [`LogError::Write`].
    pub fn finish(mut self) -> Result<WrittenLog, LogError> {
        if self.group_rows > 0 {
            self.flush()?;
        }
        let finished = self.writer.finish();
        self.written.bytes = finished.map_err(|error| wrong(&self.path, &error))?;
        let named = self.unfinished.commit();
        named.map_err(|error| wrong(&self.path, &error))?;
        Ok(self.written)
    }

    /// Writes one row group.
    fn flush(&mut self) -> Result<(), LogError> {
        let group = std::mem::take(&mut self.group);
        self.group_rows = 0;
        let rows = frame::rows(&group, &self.objectives);
        rows.and_then(|rows| self.writer.write(&rows))
            .map_err(|error: PolarsError| wrong(&self.path, &error))
    }

    /// Checks that the request fits the columns and has one value per candidate.
    fn check(&self, request: &RankedRequest) -> Result<(), LogError> {
        let refuse = |problem: String| {
            Err(LogError::Request {
                log: self.path.display().to_string(),
                request: request.id.clone(),
                problem,
            })
        };
        let n = request.candidates.len();
        if request.id.is_empty() || n == 0 {
            return refuse("a request needs an id and at least one candidate".to_owned());
        }
        let shown: HashSet<usize> = request.page.iter().copied().collect();
        if shown.len() < request.page.len() || shown.iter().any(|&index| index >= n) {
            return refuse(format!(
                "its page is not a selection of its {n} candidates; give distinct indices below {n}"
            ));
        }
        let ranges = [
            ("k", i32::try_from(request.k).is_ok_and(|k| k > 0)),
            ("revision", i64::try_from(request.revision).is_ok()),
            (
                "the seed of its draw",
                request
                    .draw
                    .is_none_or(|draw| i64::try_from(draw.seed).is_ok()),
            ),
        ];
        if let Some((what, _)) = ranges.into_iter().find(|(_, fits)| !fits) {
            return refuse(format!("{what} is out of the range of its column"));
        }
        for objective in &request.objectives {
            let name = &objective.name;
            if !self.objectives.contains(name) {
                return refuse(format!(
                    "it was ranked by `{name}`, but the objectives of the log are {}",
                    self.objectives.join(", ")
                ));
            }
            let raw = objective.raw.len();
            if objective.probabilities.len() != n || (raw != 0 && raw != n) {
                return refuse(format!(
                    "`{name}` does not have one probability per candidate"
                ));
            }
        }
        Ok(())
    }
}

fn wrong(path: &Path, problem: &dyn std::fmt::Display) -> LogError {
    LogError::Write {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}
