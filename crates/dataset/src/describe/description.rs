//! The summary of a dataset, as data.

use counterweight_model::Side;
use serde::Serialize;

use crate::{Counts, Part, Role};

/// The summary. All counts except those of the objectives cover the rows that pass the dataset's
/// own filters.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// The dataset's name.
    pub name: String,
    /// File names without folders, in reading order.
    pub files: Vec<String>,
    /// Rows of all files.
    pub rows_read: u64,
    /// Rows that the dataset's own filters leave out.
    pub rows_filtered: u64,
    /// Rows that pass the dataset's own filters.
    pub rows: u64,
    /// Rows in which broken UTF-8 was replaced, counted before filtering.
    pub lossy_rows: u64,
    /// Rows that repeat the request and candidate of an earlier row; `None` without a candidate
    /// column.
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
    /// Whether no file has the column. Only optional inputs can be absent.
    pub absent: bool,
    /// Rows without a value.
    pub missing: usize,
    /// Distinct values; for lists, distinct elements; `None` for vectors.
    pub distinct: Option<usize>,
    /// For numbers: the smallest and largest value, and the mean.
    pub range: Option<Range>,
    /// For text, categories and lists: the most frequent values.
    pub examples: Vec<String>,
}

/// The range and mean of a numeric column.
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
    /// How many rows were kept and left out.
    pub counts: Counts,
    /// The training median, if the rule uses one.
    pub threshold: Option<f64>,
    /// Why no model can be trained on the objective, such as labels of a single class.
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
    /// Its groups: the distinct values of the group column; each row without a value counts as one.
    pub groups: usize,
    /// Rows with label 1.
    pub positives: usize,
    /// `positives / rows`.
    pub rate: f64,
    /// The earliest time, if the description names a time column and a row has a value: a number as
    /// written in the files, or else ISO 8601 in UTC.
    pub first_time: Option<String>,
    /// The latest time, in the same form.
    pub last_time: Option<String>,
}
