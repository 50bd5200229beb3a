//! The result of fitting a score column.

use counterweight_model::encoder::Table;

/// A score column before standardising.
pub(super) struct Scored {
    /// One score per training row, computed without the rows of its fold; NaN for a missing text.
    pub(super) out_of_fold: Vec<f64>,
    /// The number of every known n-gram, fitted on all rows.
    pub(super) table: Table,
}
