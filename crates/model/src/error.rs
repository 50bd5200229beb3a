//! Every way in which this crate refuses, with the facts that a person needs to put it right.

use std::path::PathBuf;

/// What went wrong, and with which input, feature or file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A schema names something twice, refers to what is not there, or combines kinds that do not fit.
    #[error("schema: {element}: {problem}")]
    Schema {
        /// The input or feature at fault, e.g. ``feature `rate` ``.
        element: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A batch was given another number of columns than the schema has inputs.
    #[error("the batch has {found} columns, the schema has {expected} inputs")]
    ColumnCount {
        /// Inputs of the schema.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// A required input is absent.
    #[error(
        "input `{input}` is missing; it is required, since the schema does not mark it optional"
    )]
    MissingInput {
        /// Name of the input.
        input: String,
    },
    /// A column holds another kind of value than its input.
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
    #[error("input `{input}` has {found} rows, expected {expected}{}", if *broadcast { " (or 1, since it is of the context)" } else { "" })]
    WrongLength {
        /// Name of the input.
        input: String,
        /// Rows of the batch.
        expected: usize,
        /// Rows of the column.
        found: usize,
        /// Whether one row would have been accepted too.
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
    /// A batch was made for other inputs than the model has.
    #[error("the batch was checked against another schema than the one it is encoded with")]
    OtherSchema,
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
    /// Training data that cannot be learnt from.
    #[error("cannot fit: {problem}")]
    Fit {
        /// What is wrong with the data.
        problem: String,
    },
    /// A calibrator cannot be fitted to these rows, or its parameters are out of range.
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
        source: std::io::Error,
    },
    /// A file of an artefact is damaged: cut short, edited, or not what its manifest says.
    #[error("{path}: {problem}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An artefact was written by a later release.
    #[error(
        "{path}: artefact format {found}, but this program reads up to {supported}; use a newer release or train again"
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
    #[error("{path}: no model here ({problem})")]
    NoModel {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        problem: String,
    },
}
