//! Why a description or its files are refused, with the facts that a person needs to fix them.

use std::path::PathBuf;

use counterweight_config::ConfigError;
use counterweight_model::ModelError;

use crate::Excerpt;

/// What is wrong with a dataset, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The description is not valid TOML, or has unknown keys.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The description contradicts itself or refers to what is not there.
    #[error("{origin}: {element}: {problem}")]
    Description {
        /// The description's file.
        origin: String,
        /// The table or key at fault, e.g. ``input `title` ``.
        element: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The inputs and features do not form a valid schema.
    #[error("{origin}: {source}")]
    Schema {
        /// The description's file.
        origin: String,
        /// What is wrong with them.
        source: ModelError,
    },
    /// A file could not be opened or read.
    #[error("cannot read {}: {problem}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        problem: Excerpt,
    },
    /// A file has no rows.
    #[error("{}: {problem}", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
        /// What was found and what to do.
        problem: Excerpt,
    },
    /// A row is not valid in the format that the file's ending names.
    #[error("{}, row {row}: {problem}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The row, from 1; a CSV header is not counted.
        row: u64,
        /// What is wrong with it and what to do.
        problem: Excerpt,
    },
    /// A file lacks a needed column.
    #[error("{} has no column {column:?}, needed as {needed_as}{suggestion}", file.display())]
    MissingColumn {
        /// The column.
        column: String,
        /// The file.
        file: PathBuf,
        /// What the description uses it for.
        needed_as: String,
        /// The nearest column there is, as a question, or the first columns that there are.
        suggestion: Excerpt,
    },
    /// The type of a column does not fit what the description says of it.
    #[error("column {column:?} of {} contains {found}, expected {expected}", file.display())]
    Type {
        /// The column.
        column: String,
        /// The file.
        file: PathBuf,
        /// What the column contains.
        found: Excerpt,
        /// What was expected.
        expected: String,
    },
    /// One value does not fit what the description says of its column.
    #[error("column {column:?} of {}, row {row}: {value:?} is not {expected}", file.display())]
    Value {
        /// The column.
        column: String,
        /// The file.
        file: PathBuf,
        /// The first offending row, from 1; a CSV header is not counted.
        row: u64,
        /// The value, cut to a readable length.
        value: Excerpt,
        /// What was expected.
        expected: String,
    },
    /// The filters, the label and the split leave no row.
    #[error(
        "{origin}: no row is left of {read}: {counts}; loosen the filters or check the label column"
    )]
    NoRows {
        /// The description's file.
        origin: String,
        /// Rows read.
        read: u64,
        /// Where they went.
        counts: String,
    },
    /// All training rows have the same label, so there is nothing to learn.
    #[error(
        "objective `{objective}`: all {rows} training rows have the label {label}; a model needs both classes, so check the label rule, the filters and the split"
    )]
    OneClass {
        /// The objective.
        objective: String,
        /// Training rows.
        rows: usize,
        /// The label they share, 0 or 1.
        label: u8,
    },
    /// The training part is empty.
    #[error(
        "objective `{objective}`: the training part has no rows; check the split's fractions and the filters"
    )]
    NoTrainingRows {
        /// The objective.
        objective: String,
    },
    /// The rows cannot be divided into so many folds.
    #[error("cannot divide {groups} groups into {folds} folds; {problem}")]
    Folds {
        /// The folds asked for.
        folds: usize,
        /// The groups of the rows.
        groups: usize,
        /// Why not, and what to do.
        problem: &'static str,
    },
    /// The description has no objective of that name.
    #[error("{origin} has no objective {name:?}{suggestion}; it has {known}")]
    UnknownObjective {
        /// The description's file.
        origin: String,
        /// The name asked for.
        name: String,
        /// The nearest one, as a question, or nothing.
        suggestion: String,
        /// All of them.
        known: String,
    },
    /// The rows do not form a batch of the model's schema.
    #[error(transparent)]
    Model(#[from] ModelError),
}
