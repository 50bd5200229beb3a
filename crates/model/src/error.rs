//! The errors of this crate.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong, and with which input, feature or file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A schema has a name twice, refers to an unknown input, or combines kinds that do not fit.
    #[error("schema: {element}: {problem}")]
    Schema {
        /// The input or feature, e.g. ``feature `rate` ``.
        element: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A batch has another number of columns than the schema has inputs.
    #[error("the batch has {found} columns, the schema has {expected} inputs")]
    ColumnCount {
        /// Inputs of the schema.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// A required input is absent.
    #[error("input `{input}` is missing, and the schema does not mark it as optional")]
    MissingInput {
        /// Name of the input.
        input: String,
    },
    /// The values of a column are of another kind than the input.
    #[error("input `{input}` is {expected} and cannot be read from a {found} column")]
    WrongKind {
        /// Name of the input.
        input: String,
        /// Kind in the schema.
        expected: String,
        /// Kind of the column.
        found: &'static str,
    },
    /// A column has the wrong number of rows.
    #[error("input `{input}` has {found} rows, expected {expected}{}", if *broadcast { " (or 1, as it describes the request)" } else { "" })]
    WrongLength {
        /// Name of the input.
        input: String,
        /// Rows of the batch.
        expected: usize,
        /// Rows of the column.
        found: usize,
        /// Whether a single row is accepted too.
        broadcast: bool,
    },
    /// A vector column has another width than its input.
    #[error("input `{input}` has vectors of {found} values, expected {expected}")]
    WrongDimension {
        /// Name of the input.
        input: String,
        /// Width in the schema.
        expected: usize,
        /// Width of the column.
        found: usize,
    },
    /// A number is plus or minus infinity.
    #[error("input `{input}` is infinite in row {row}; use NaN for a missing value")]
    Infinite {
        /// Name of the input.
        input: String,
        /// Row, counted from 0.
        row: usize,
    },
    /// A boolean is neither 0, 1 nor NaN.
    #[error("input `{input}` is boolean, but row {row} holds {value}; use 0, 1 or NaN for missing")]
    NotBoolean {
        /// Name of the input.
        input: String,
        /// Row, counted from 0.
        row: usize,
        /// The value found.
        value: f64,
    },
    /// A batch was checked against other inputs than those of the model.
    #[error(
        "the batch was checked against another schema than that of the model; check it against the schema of the model"
    )]
    OtherSchema,
    /// The caller stopped the computation.
    #[error("the computation was stopped before its end")]
    Stopped,
    /// Parallel arrays differ in length.
    #[error("{what}: {found} values, expected {expected}")]
    Length {
        /// What the values are.
        what: &'static str,
        /// Length needed.
        expected: usize,
        /// Length given.
        found: usize,
    },
    /// The parameters of a calibrator are out of range.
    #[error("{method} calibration: {problem}")]
    Calibration {
        /// Name of the method.
        method: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The parts of a model contradict one another.
    #[error("model `{objective}`: {problem}")]
    Model {
        /// Objective of the model.
        objective: String,
        /// What is wrong.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of an artefact is damaged: cut short, edited, or not what its manifest says.
    #[error("{path}: {problem}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An artefact was written by a newer release.
    #[error(
        "{path}: artefact format {found} is newer than {supported}, the newest that this program reads; use a newer release or train again"
    )]
    NewerFormat {
        /// The file that states the format.
        path: PathBuf,
        /// Format of the file.
        found: u64,
        /// Newest format known here.
        supported: u64,
    },
    /// A folder holds no model.
    #[error("{path}: the folder contains no model ({problem})")]
    NoModel {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        problem: String,
    },
}

/// Says at which file or folder an input or output error occurred.
pub(crate) fn io_error_at(path: &Path) -> impl Fn(io::Error) -> ModelError {
    move |source| ModelError::Io {
        path: path.into(),
        source,
    }
}
