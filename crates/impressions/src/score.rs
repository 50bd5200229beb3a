//! The probabilities of rows, from given models or else from the log.

use counterweight_dataset::LogPiece;

use crate::{
    error::LogError,
    log::{Log, Source},
};

/// One column of probabilities per objective, one entry per row of the piece. A model scores only
/// the `wanted` rows; the entry of the other rows is NaN. The column of an objective without a
/// source is empty.
pub(crate) fn score(
    log: &Log,
    piece: &LogPiece,
    wanted: &[usize],
) -> Result<Vec<Vec<f64>>, LogError> {
    let columns = log.objectives.iter().enumerate().map(|(index, objective)| {
        let wrong = |source| LogError::Model {
            objective: objective.name.clone(),
            source,
        };
        match (&objective.source, log.columns.probability[index]) {
            (Source::Model, _) => {
                let mut artefacts = log.artefacts.iter();
                let model = artefacts
                    .find(|artefact| artefact.model.objective() == objective.name)
                    .map(|artefact| &artefact.model);
                let Some(model) = model else {
                    return Ok(Vec::new());
                };
                let mut column = vec![f64::NAN; piece.len()];
                if wanted.is_empty() {
                    return Ok(column);
                }
                let batch = piece.batch(model.schema(), wanted).map_err(wrong)?;
                let scored = model.score(&batch).map_err(wrong)?.probabilities;
                for (&row, probability) in wanted.iter().zip(scored) {
                    column[row] = probability;
                }
                Ok(column)
            }
            (Source::Logged, Some(column)) => Ok(piece.numbers[column].clone()),
            _ => Ok(Vec::new()),
        }
    });
    columns.collect()
}
