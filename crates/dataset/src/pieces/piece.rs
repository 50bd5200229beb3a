//! A piece is some consecutive rows of a file. This module also has the columns that a reader
//! needs, and the errors with which it rejects a file.

use std::path::{Path, PathBuf};

use counterweight_config::did_you_mean;
use polars::prelude::{BooleanChunked, DataFrame, PolarsError};

use crate::{DatasetError, Excerpt};

/// A column that must be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Needed {
    pub(crate) column: String,
    /// What the column is needed for, in the words of the description.
    pub(crate) needed_as: String,
    pub(crate) optional: bool,
    pub(crate) shape: Shape,
}

/// The form that a JSON value must have. Parquet declares its types, and CSV contains only text.
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
    /// The needed columns that the file has. In CSV and NDJSON, scalar columns are text.
    pub(crate) frame: DataFrame,
    /// The number of each row in its file, from 1.
    pub(crate) rows: Vec<u64>,
    /// The number of each row across all files, from 0.
    pub(crate) global: Vec<u64>,
    /// Rows in which broken UTF-8 was replaced.
    pub(crate) lossy: u64,
}

impl Piece {
    pub(super) fn new(file: &Path, frame: DataFrame, first_row: u64, lossy: u64) -> Self {
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

/// The pieces of one file.
pub(crate) type PieceIterator = Box<dyn Iterator<Item = Result<Piece, DatasetError>>>;

/// Keeps the values whose flag is set.
pub(crate) fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut flags = keep.iter();
    values.retain(|_| flags.next().is_some_and(|&keep| keep));
}

/// The needed columns that a file has, or an error for the first column that is missing and not
/// optional.
pub(super) fn find_needed<'a>(
    file: &Path,
    needed: &'a [Needed],
    has: &[String],
) -> Result<Vec<&'a Needed>, DatasetError> {
    let mut found = Vec::new();
    for column in needed {
        if has.contains(&column.column) {
            found.push(column);
        } else if !column.optional {
            return Err(missing_column(file, column, has));
        }
    }
    Ok(found)
}

pub(super) fn missing_column(file: &Path, needed: &Needed, has: &[String]) -> DatasetError {
    let suggestion = match did_you_mean(&needed.column, has.iter().map(String::as_str)) {
        near if !near.is_empty() => near,
        _ => format!("; it has {}", list_names(has)),
    };
    DatasetError::MissingColumn {
        column: needed.column.clone(),
        file: file.to_owned(),
        needed_as: needed.needed_as.clone(),
        suggestion: Excerpt::problem(suggestion),
    }
}

/// Lists the first twelve names for a message.
fn list_names(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(12)
        .map(|name| Excerpt::value(name).to_string())
        .collect();
    let more = names.len().saturating_sub(shown.len());
    let tail = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    if shown.is_empty() {
        "no columns".to_owned()
    } else {
        format!("{}{tail}", shown.join(", "))
    }
}

pub(super) fn unreadable(file: &Path, problem: &dyn std::fmt::Display) -> DatasetError {
    DatasetError::Read {
        file: file.to_owned(),
        problem: Excerpt::problem(problem),
    }
}

pub(super) fn polars_error(file: &Path) -> impl Fn(PolarsError) -> DatasetError {
    let file = file.to_owned();
    move |error| unreadable(&file, &error)
}
