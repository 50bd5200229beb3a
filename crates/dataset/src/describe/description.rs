//! The summary of a dataset, as data.

use counterweight_model::Side;
use serde::Serialize;

use crate::{Counts, Part, Role};

/// The summary. Everything but the objectives counts all rows that pass the dataset's own filters.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// The dataset's name.
    pub name: String,
    /// File names, without folders, in reading order.
    pub files: Vec<String>,
    /// Rows of all files.
    pub rows_read: u64,
    /// Rows that the dataset's own filters leave out.
    pub rows_filtered: u64,
    /// Rows that pass them.
    pub rows: u64,
    /// Rows read in which broken UTF-8 was replaced.
    pub lossy_rows: u64,
    /// Rows whose request and candidate an earlier row has; none without a candidate column.
    pub duplicates: Option<usize>,
    /// Distinct values of each role column.
    pub roles: Vec<RoleDescription>,
    /// One per input, in the description's order.
    pub columns: Vec<ColumnDescription>,
    /// One per objective.
    pub objectives: Vec<ObjectiveDescription>,
}

/// One role column.
#[derive(Debug, Clone, Serialize)]
pub struct RoleDescription {
    /// The role.
    pub role: Role,
    /// Its column.
    pub column: String,
    /// Rows without a value.
    pub missing: usize,
    /// Distinct values.
    pub distinct: usize,
}

/// One input column.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnDescription {
    /// The input.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its side.
    pub side: Side,
    /// Whether no file has the column (of optional inputs only).
    pub absent: bool,
    /// Rows without a value.
    pub missing: usize,
    /// Distinct values; of lists, distinct elements; none of vectors.
    pub distinct: Option<usize>,
    /// Smallest and largest value and the mean, of numbers.
    pub range: Option<Range>,
    /// The most frequent values, of text, categories and lists.
    pub examples: Vec<String>,
}

/// Where the numbers of a column lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
}

/// One objective.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectiveDescription {
    /// The objective.
    pub name: String,
    /// Its label rule in words.
    pub rule: String,
    /// Where the rows went.
    pub counts: Counts,
    /// The training median, where the rule has one.
    pub threshold: Option<f64>,
    /// Why no model can be trained on it, such as only one class.
    pub problem: Option<String>,
    /// The parts that have rows.
    pub parts: Vec<PartDescription>,
    /// SHA-256 of the content of the rows.
    pub fingerprint: String,
}

/// One part of an objective's rows.
#[derive(Debug, Clone, Serialize)]
pub struct PartDescription {
    /// The part.
    pub part: Part,
    /// Its rows.
    pub rows: usize,
    /// Its groups: the distinct values of the group column, and each row without a value.
    pub groups: usize,
    /// Rows with label 1.
    pub positives: usize,
    /// `positives / rows`.
    pub rate: f64,
    /// The earliest time, where the description names a time column and some row has a value there:
    /// a number as it stands in the files, else ISO 8601 in UTC.
    pub first_time: Option<String>,
    /// The latest time, likewise.
    pub last_time: Option<String>,
}
