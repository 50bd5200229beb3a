//! Metrics of a model on the parts of a dataset, computed from raw values with the code that
//! serving uses.

use counterweight_dataset::{Loaded, Part};
use counterweight_evaluation::metrics::part_report;
use counterweight_model::{Model, PartReport};

use crate::error::TrainerError;
use crate::targets::Targets;

/// Rows that are scored at a time.
pub(crate) const PIECE: usize = 32_768;

/// Metrics on every part that has rows, in the order of [`Part::ALL`].
///
/// Rows are scored as logged: if the position of a candidate is an input, the prediction is for the
/// position at which it was shown.
pub(crate) fn parts(
    model: &Model,
    loaded: &Loaded,
    targets: &Targets<'_>,
) -> Result<Vec<PartReport>, TrainerError> {
    let mut reports = Vec::new();
    for part in Part::ALL {
        let rows = loaded.part(part);
        if !rows.is_empty() {
            let probabilities = probabilities(model, loaded, &rows)?;
            let copies = targets.copies(&rows);
            let probabilities = copies.spread(&probabilities);
            reports.push(part_report(part.name(), &probabilities, &copies.labels));
        }
    }
    Ok(reports)
}

/// The probability of each of `rows`, scored as logged.
pub(crate) fn probabilities(
    model: &Model,
    loaded: &Loaded,
    rows: &[usize],
) -> Result<Vec<f64>, TrainerError> {
    let mut probabilities = Vec::with_capacity(rows.len());
    for piece in rows.chunks(PIECE) {
        probabilities.extend(
            model
                .score_as_logged(&loaded.rows.batch(piece)?)?
                .probabilities,
        );
    }
    Ok(probabilities)
}
