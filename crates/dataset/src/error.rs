//! Every way in which a description or its files are refused, with the facts that a person needs to put it right.

use std::path::PathBuf;

use counterweight_config::ConfigError;
use counterweight_model::ModelError;

/// What is wrong with a dataset, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The description is not the TOML that is expected.
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
    /// The inputs and features do not make a schema.
    #[error("{origin}: {source}")]
    Schema {
        /// The description's file.
        origin: String,
        /// What the schema refuses.
        source: ModelError,
    },
    /// A file could not be opened or read.
    #[error("cannot read {}: {problem}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// A file has no content at all, or nothing but a header.
    #[error("{}: {problem}", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A row is not of the format that the file's ending promises.
    #[error("{}, row {row}: {problem}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The row, from 1; a CSV header is not counted.
        row: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A needed column is not in a file.
    #[error("{} has no column {column:?}, needed as {needed_as}{suggestion}", file.display())]
    MissingColumn {
        /// The column.
        column: String,
        /// The file.
        file: PathBuf,
        /// What the description uses it for.
        needed_as: String,
        /// The nearest column there is, as a question, or nothing.
        suggestion: String,
    },
    /// A column's type cannot hold what the description says it holds.
    #[error("column {column:?} of {} holds {found}, expected {expected}", file.display())]
    Type {
        /// The column.
        column: String,
        /// The file.
        file: PathBuf,
        /// Type of the file's column.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// One value is not what the description says the column holds.
    #[error("column {column:?} of {}, row {row}: {value:?} is not {expected}", file.display())]
    Value {
        /// The column.
        column: String,
        /// The file.
        file: PathBuf,
        /// The first offending row, from 1; a CSV header is not counted.
        row: u64,
        /// The value, cut to a readable length.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// No row is left to work with.
    #[error(
        "{origin}: no row is left: {read} read, {counts}; loosen the filters or check the label column"
    )]
    NoRows {
        /// The description's file.
        origin: String,
        /// Rows read.
        read: u64,
        /// Where they went.
        counts: String,
    },
    /// All labels of the training rows are the same, so that there is nothing to learn.
    #[error(
        "objective `{objective}`: all {rows} training rows have the label {label}; two classes are needed, so check the label rule, the filters and the split"
    )]
    OneClass {
        /// The objective.
        objective: String,
        /// Training rows.
        rows: usize,
        /// The label they share, 0 or 1.
        label: u8,
    },
    /// A part or a list of rows that must hold something is empty.
    #[error(
        "objective `{objective}`: there is no training row; check the split's fractions and the filters"
    )]
    NoTrainingRows {
        /// The objective.
        objective: String,
    },
    /// Folds that these rows cannot be dealt into.
    #[error("cannot deal {groups} groups into {folds} folds; {problem}")]
    Folds {
        /// Folds asked for.
        folds: usize,
        /// Groups there are.
        groups: usize,
        /// What is wrong.
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
    /// A batch of the model could not be built from rows.
    #[error(transparent)]
    Model(#[from] ModelError),
}
