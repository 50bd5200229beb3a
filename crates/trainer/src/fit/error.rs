//! Why a matrix cannot be fitted.

/// Why a matrix cannot be fitted.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum FitError {
    /// The matrix has no rows.
    #[error("the training part has no rows")]
    NoRows,
    /// All labels are the same.
    #[error("all {rows} training labels are {label}; a model needs rows of both classes")]
    OneClass {
        /// The label of all rows.
        label: bool,
        /// Number of rows.
        rows: usize,
    },
    /// A column is longer or shorter than the labels.
    #[error("encoded column {column} has {found} rows, but there are {expected} labels")]
    Ragged {
        /// Index of the column.
        column: usize,
        /// Its length.
        found: usize,
        /// Number of labels.
        expected: usize,
    },
    /// A value is NaN or infinite, or so large that the sum of squares of its column overflows.
    #[error("encoded column {column} contains {value} in row {row}; encoded values must be finite")]
    NotFinite {
        /// Index of the column.
        column: usize,
        /// Index of the row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// An option is out of range.
    #[error("{name} is {value}, but must be finite and above zero")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The number of coefficients of the start differs from the number of columns.
    #[error("the starting point has {found} coefficients, but there are {expected} columns")]
    Start {
        /// Coefficients of the start.
        found: usize,
        /// Columns of the matrix.
        expected: usize,
    },
}
