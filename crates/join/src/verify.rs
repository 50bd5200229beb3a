//! Reads everything that a log has, and says what cannot be read.

use std::path::{Path, PathBuf};

use counterweight_dataset::ParquetFrames;
use counterweight_journal::{Contents, Forgotten, Kind, parts_of};
use serde::Serialize;

use crate::{error::JoinError, manifest::Manifest};

/// What a log has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Parquet files whose values were all read.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Records in write-ahead segments whose checksums are right.
    pub records: u64,
    /// Files that cannot be read or are not what they should be, and why.
    pub problems: Vec<(PathBuf, String)>,
}

impl Verified {
    /// Reads a request log, an event log or a labelled log.
    ///
    /// # Errors
    /// [`JoinError::Journal`] and [`JoinError::Manifest`] for a folder that cannot be listed or a
    /// manifest that is damaged.
    pub fn read(log: &Path) -> Result<Self, JoinError> {
        let mut verified = Self::default();
        if let Some(manifest) = Manifest::read(log)? {
            for file in manifest.hours.values().flat_map(|hour| &hour.files) {
                verified.add(&log.join(&file.path), Some(file.rows));
            }
            return Ok(verified);
        }
        for kind in [Kind::Requests, Kind::Events] {
            let contents = Contents::read(log, kind)?;
            verified.records += contents.records;
            let segments = contents.problems.into_iter();
            // Parts are read below.
            let is_segment = |(path, _): &(PathBuf, String)| {
                path.extension().is_none_or(|ending| ending != "parquet")
            };
            verified.problems.extend(segments.filter(is_segment));
            for part in parts_of(log, kind)? {
                verified.add(&part.path, None);
            }
        }
        if let Err(error) = Forgotten::read(log) {
            verified.problems.push((log.to_owned(), error.to_string()));
        }
        Ok(verified)
    }

    fn add(&mut self, path: &Path, expected: Option<u64>) {
        match rows_of(path) {
            Err(problem) => self.problems.push((path.to_owned(), problem)),
            Ok(rows) if expected.is_some_and(|expected| expected != rows) => {
                let expected = expected.unwrap_or_default();
                let problem = format!("it has {rows} rows, and the manifest says {expected}");
                self.problems.push((path.to_owned(), problem));
            }
            Ok(rows) => {
                self.files += 1;
                self.rows += rows;
            }
        }
    }
}

/// Reads all values of a file.
fn rows_of(path: &Path) -> Result<u64, String> {
    let frames = ParquetFrames::open(path, None).map_err(|error| error.to_string())?;
    let stated = frames.rows();
    let mut rows = 0;
    for frame in frames {
        rows += frame.map_err(|error| error.to_string())?.height() as u64;
    }
    match rows == stated {
        true => Ok(rows),
        false => Err(format!("it has {rows} rows, and its footer says {stated}")),
    }
}
