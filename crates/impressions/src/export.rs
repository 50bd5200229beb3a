//! Writing an impression log: requests as they were ranked, in the columns of `data/SCHEMA.md`, so
//! that the benchmark and everyone else can read them.

mod frame;

use std::{collections::HashSet, fs::File, path::Path, path::PathBuf};

use counterweight_dataset::ParquetRows;
use counterweight_files::AtomicFile;
use polars::prelude::PolarsError;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{error::LogError, ranked::RankedRequest};

/// Rows of a row group, but for the last request in it; all that is in memory.
const ROW_GROUP_ROWS: usize = 65_536;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WrittenLog {
    /// Requests.
    pub requests: u64,
    /// Rows: candidates of them.
    pub candidates: u64,
    /// Requests whose λ was drawn.
    pub explored: u64,
    /// Requests left out because one of the same id is there already.
    pub repeated: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// A Parquet file that takes its name when it is complete; dropped before, it leaves nothing
/// behind.
pub struct LogWriter {
    path: PathBuf,
    objectives: Vec<String>,
    unfinished: AtomicFile,
    writer: ParquetRows<File>,
    /// Hashes of the ids that were taken.
    seen: HashSet<u64>,
    group: Vec<RankedRequest>,
    group_rows: usize,
    written: WrittenLog,
}

impl LogWriter {
    /// Begins a log of these objectives, in the order of their weights.
    ///
    /// # Errors
    /// [`LogError::Write`], also for an ending other than `.parquet`.
    pub fn create(path: &Path, objectives: &[String]) -> Result<Self, LogError> {
        let refuse = |problem: &str| Err(wrong(path, &problem));
        if path.extension().is_none_or(|ending| ending != "parquet") {
            return refuse("the ending must be .parquet");
        }
        if path.is_dir() {
            return refuse("it is a folder; name a file in it");
        }
        if objectives.is_empty() {
            return refuse("a log has at least one objective");
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

    /// Adds a request, or counts it where one of its id was added before: a log has each id once.
    ///
    /// # Errors
    /// [`LogError::Request`] where it does not fit the schema, and [`LogError::Write`].
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

    /// Whether no request was added.
    pub fn is_empty(&self) -> bool {
        self.written.requests == 0
    }

    /// Writes the rest, and gives the file its name once all of it is on disk.
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

    /// Whether the request has a row per candidate and a place for all that it says.
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
            return refuse("a request has an id and at least one candidate".to_owned());
        }
        let shown: HashSet<usize> = request.page.iter().copied().collect();
        if shown.len() < request.page.len() || shown.iter().any(|&at| at >= n) {
            return refuse(format!(
                "its page is not a choice of its {n} candidates: give distinct positions below {n}"
            ));
        }
        let whole = [
            ("k", i32::try_from(request.k).is_ok_and(|k| k > 0)),
            ("revision", i64::try_from(request.revision).is_ok()),
            (
                "the seed of its draw",
                request
                    .draw
                    .is_none_or(|draw| i64::try_from(draw.seed).is_ok()),
            ),
        ];
        if let Some((what, _)) = whole.into_iter().find(|(_, fits)| !fits) {
            return refuse(format!("{what} is out of the range of its column"));
        }
        for objective in &request.objectives {
            let name = &objective.name;
            if !self.objectives.contains(name) {
                return refuse(format!(
                    "it was ranked by `{name}`, and the log is of {}",
                    self.objectives.join(", ")
                ));
            }
            let raw = objective.raw.len();
            if objective.probabilities.len() != n || (raw != 0 && raw != n) {
                return refuse(format!("`{name}` has not one probability per candidate"));
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
