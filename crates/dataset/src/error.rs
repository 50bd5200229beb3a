//! Why a description or its files are refused, with the facts that are needed to fix them.

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
    /// The description contradicts itself or refers to something that does not exist.
    #[error("{origin}: {element}: {problem}")]
    Description {
        /// The description's file.
        origin: String,
        /// The table or key at fault, for example ``input `title` ``.
        element: String,
        /// What is wrong with it, and what to do.
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
        /// What was found, and what to do.
        problem: Excerpt,
    },
    /// A row is not valid in the format that the file name's ending determines.
    #[error("{}, row {row}: {problem}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The row, from 1; a CSV header is not counted.
        row: u64,
        /// What is wrong with it, and what to do.
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
        /// The most similar column as a question, or else the first columns of the file.
        suggestion: Excerpt,
    },
    /// The type of a column does not match the description.
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
    /// One value does not match what the description says about its column.
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
    /// No row remains after the filters, the label and the split.
    #[error(
        "{origin}: none of the {read} rows remains: {counts}; \
         loosen the filters or check the label column"
    )]
    NoRows {
        /// The description's file.
        origin: String,
        /// Rows read.
        read: u64,
        /// How many rows were left out for each reason.
        counts: String,
    },
    /// All training rows have the same label, so there is nothing to learn.
    #[error(
        "objective `{objective}`: all {rows} training rows have the label {label}; a model needs \
         both classes, so check the label rule, the filters and the split"
    )]
    OneClass {
        /// The objective.
        objective: String,
        /// Training rows.
        rows: usize,
        /// The label of all training rows, 0 or 1.
        label: u8,
    },
    /// The training part is empty.
    #[error(
        "objective `{objective}`: the training part has no rows; check the split's fractions and \
         the filters"
    )]
    NoTrainingRows {
        /// The objective.
        objective: String,
    },
    /// The rows cannot be divided into this many folds.
    #[error("cannot divide {groups} groups into {folds} folds; {problem}")]
    Folds {
        /// The requested number of folds.
        folds: usize,
        /// The number of groups in the rows.
        groups: usize,
        /// Why not, and what to do.
        problem: &'static str,
    },
    /// The description has no objective with this name.
    #[error("{origin} has no objective {name:?}{suggestion}; it has {known}")]
    UnknownObjective {
        /// The description's file.
        origin: String,
        /// The requested name.
        name: String,
        /// The most similar name as a question, or empty.
        suggestion: String,
        /// All objectives of the description.
        known: String,
    },
    /// The rows do not form a batch of the model's schema.
    #[error(transparent)]
    Model(#[from] ModelError),
}
