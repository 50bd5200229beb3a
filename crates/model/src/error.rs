//! The errors of this crate.

use std::io;
use std::path::{Path, PathBuf};

/// What is wrong; each error names the input, feature or file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A schema defines a name twice, refers to an unknown input, or combines kinds that do not
    /// fit.
    #[error("schema: {element} {problem}")]
    Schema {
        /// The input or feature, e.g. ``feature `rate` ``.
        element: String,
        /// What is wrong with it, as the rest of the sentence.
        problem: String,
    },
    /// The number of columns of a batch differs from the number of inputs of the schema.
    #[error(
        "the batch has {found} columns, but the schema has {expected} inputs; pass one column per \
         input"
    )]
    ColumnCount {
        /// Inputs of the schema.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// A required input is absent.
    #[error("input `{input}` is missing and is not optional; add it, or mark it as optional")]
    MissingInput {
        /// Name of the input.
        input: String,
    },
    /// The kind of a column does not fit the kind of its input.
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
    #[error(
        "input `{input}` has {found} rows, expected {expected}{}",
        if *broadcast { " (or 1, because it describes the request)" } else { "" }
    )]
    WrongLength {
        /// Name of the input.
        input: String,
        /// Rows of the batch.
        expected: usize,
        /// Rows of the column.
        found: usize,
        /// Whether a single row is accepted as well.
        broadcast: bool,
    },
    /// The width of a vector column differs from that of its input.
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
    #[error(
        "input `{input}` is boolean, but row {row} is {value}; use 0, 1, or NaN for a missing value"
    )]
    NotBoolean {
        /// Name of the input.
        input: String,
        /// Row, counted from 0.
        row: usize,
        /// The value found.
        value: f64,
    },
    /// The batch was checked against a schema whose inputs differ from those of the model.
    #[error(
        "the batch was checked against a different schema; check it against the schema of the model"
    )]
    OtherSchema,
    /// The caller stopped the computation.
    #[error("the caller stopped the computation before it was complete")]
    Stopped,
    /// The number of values is wrong.
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
    /// The parts of a model do not fit together.
    #[error("model `{objective}` {problem}")]
    Model {
        /// Objective of the model.
        objective: String,
        /// What is wrong, as the rest of the sentence.
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
    /// A file of an artefact is damaged: it was cut short or edited, or it does not match its
    /// manifest.
    #[error("{path}: {problem}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An artefact was written by a newer release.
    #[error(
        "{path}: the artefact has format {found}, and this program reads formats up to \
         {supported}; use a newer release or train again"
    )]
    NewerFormat {
        /// The file that states the format.
        path: PathBuf,
        /// Format of the file.
        found: u64,
        /// Newest format that this program reads.
        supported: u64,
    },
    /// A folder does not contain a model.
    #[error("{path}: the folder does not contain a model ({problem})")]
    NoModel {
        /// The folder.
        path: PathBuf,
        /// Which files were looked for.
        problem: String,
    },
}

/// Adds the file or folder to an I/O error.
pub(crate) fn io_error_at(path: &Path) -> impl Fn(io::Error) -> ModelError {
    move |source| ModelError::Io {
        path: path.into(),
        source,
    }
}
