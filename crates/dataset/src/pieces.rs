//! Reading files piece by piece, so that memory holds one piece and what was kept of those before it.

mod csv;
mod ndjson;
mod parquet;
mod records;

use std::path::{Path, PathBuf};

use counterweight_config::did_you_mean;
use polars::prelude::{BooleanChunked, DataFrame, PolarsError};

use crate::{
    DatasetError,
    files::{DataFile, Format},
};

/// Bytes of text read at a time.
const BLOCK_BYTES: usize = 16 * 1024 * 1024;
/// Parquet rows read at a time.
const SLICE_ROWS: usize = 128 * 1024;

/// A column that must be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Needed {
    pub(crate) column: String,
    /// What for, in the words of the description.
    pub(crate) needed_as: String,
    pub(crate) optional: bool,
    pub(crate) shape: Shape,
}

/// What a JSON value must look like; the other formats say it themselves or hold text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar,
    Strings,
    Numbers,
}

/// Some consecutive rows of a file.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) file: PathBuf,
    /// The needed columns that the file has. Text formats give text throughout.
    pub(crate) frame: DataFrame,
    /// The number of each row in its file, from 1.
    pub(crate) rows: Vec<u64>,
    /// The number of each row over all files, from 0.
    pub(crate) global: Vec<u64>,
    /// Rows in which broken UTF-8 was replaced.
    pub(crate) lossy: u64,
}

impl Piece {
    fn new(file: &Path, frame: DataFrame, first_row: u64, lossy: u64) -> Self {
        let rows = (first_row..first_row + frame.height() as u64).collect();
        Self {
            file: file.to_owned(),
            frame,
            rows,
            global: Vec::new(),
            lossy,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Keeps the rows whose flag is set.
    pub(crate) fn retain(&mut self, keep: &[bool]) -> Result<(), DatasetError> {
        if keep.iter().all(|&keep| keep) {
            return Ok(());
        }
        let mask: BooleanChunked = keep.iter().copied().collect();
        self.frame = self
            .frame
            .filter(&mask)
            .map_err(|error| unreadable(&self.file, &error))?;
        retain(&mut self.rows, keep);
        retain(&mut self.global, keep);
        Ok(())
    }
}

/// Keeps the values whose flag is set.
pub(crate) fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut flags = keep.iter();
    values.retain(|_| flags.next().is_some_and(|&keep| keep));
}

/// The pieces of one file.
pub(crate) type Pieces = Box<dyn Iterator<Item = Result<Piece, DatasetError>>>;

/// Opens a file and checks that it has the needed columns (of NDJSON, where a row may leave a key out, at its end).
pub(crate) fn open(file: &DataFile, needed: &[Needed]) -> Result<Pieces, DatasetError> {
    let size = std::fs::metadata(&file.path)
        .map_err(|error| unreadable(&file.path, &error))?
        .len();
    if size == 0 {
        let problem =
            "the file is empty (0 bytes); remove it from `files` or write it again".to_owned();
        return Err(DatasetError::Empty {
            file: file.path.clone(),
            problem,
        });
    }
    Ok(match file.format {
        Format::Csv => Box::new(csv::CsvPieces::open(&file.path, needed)?),
        Format::Ndjson => Box::new(ndjson::NdjsonPieces::open(&file.path, needed)?),
        Format::Parquet => Box::new(parquet::ParquetPieces::open(&file.path, needed)?),
    })
}

/// The columns of a file, in its order; of NDJSON the keys of its first line.
pub(crate) fn header(file: &DataFile) -> Result<Vec<String>, DatasetError> {
    match file.format {
        Format::Csv => csv::header(&file.path),
        Format::Ndjson => ndjson::header(&file.path),
        Format::Parquet => parquet::header(&file.path),
    }
}

/// The needed columns that a file has, or an error that names the first that is missing and not optional.
fn present<'a>(
    file: &Path,
    needed: &'a [Needed],
    has: &[String],
) -> Result<Vec<&'a Needed>, DatasetError> {
    let mut found = Vec::new();
    for column in needed {
        if has.contains(&column.column) {
            found.push(column);
        } else if !column.optional {
            return Err(missing(file, column, has));
        }
    }
    Ok(found)
}

fn missing(file: &Path, needed: &Needed, has: &[String]) -> DatasetError {
    let suggestion = match did_you_mean(&needed.column, has.iter().map(String::as_str)) {
        near if !near.is_empty() => near,
        _ => format!("; it has {}", listed(has)),
    };
    DatasetError::MissingColumn {
        column: needed.column.clone(),
        file: file.to_owned(),
        needed_as: needed.needed_as.clone(),
        suggestion,
    }
}

/// Names for a message, the first dozen.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    let more = names.len().saturating_sub(shown.len());
    let tail = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    if shown.is_empty() {
        "no column at all".to_owned()
    } else {
        format!("{}{tail}", shown.join(", "))
    }
}

fn unreadable(file: &Path, problem: &dyn std::fmt::Display) -> DatasetError {
    DatasetError::Read {
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}

fn polars_error(file: &Path) -> impl Fn(PolarsError) -> DatasetError {
    let file = file.to_owned();
    move |error| unreadable(&file, &error)
}
