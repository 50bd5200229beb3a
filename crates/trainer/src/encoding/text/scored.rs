//! The result of the fit of a score column.

use counterweight_model::encoder::Table;

/// A score column before standardising.
pub(super) struct Scored {
    /// One score per training row, computed without the rows of its fold; NaN for missing texts.
    pub(super) out_of_fold: Vec<f64>,
    /// The number of every n-gram, fitted on all rows.
    pub(super) table: Table,
}
