//! Fits the encoders of every feature, and encodes the training rows without letting a label see itself.

use crate::{Batch, Encoded, Encoders, ModelError, Schema};

/// Fits one encoder per feature on the training rows and encodes these rows.
///
/// `labels` and `folds` have one entry per row. Encoders that use the label are fitted on all rows for later use; for the
/// training rows they are fitted without the row's fold, so that no row is encoded with the help of its own label.
/// Rows of one group must share a fold; fold ids are arbitrary numbers.
///
/// # Errors
/// Lengths that differ, a label of one class only, a single fold where an encoder uses the label, an absent column
/// that is not optional, or a batch of another schema.
pub fn fit_encoders(
    _schema: &Schema,
    _batch: &Batch<'_>,
    _labels: &[bool],
    _folds: &[u32],
) -> Result<(Encoders, Encoded), ModelError> {
    todo!()
}
