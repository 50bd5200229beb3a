//! Measures a trained model on the rows of a dataset.

use counterweight_dataset::Dataset;
use counterweight_model::{Artefact, PartReport};
use serde::Serialize;

use crate::error::TrainerError;
use crate::measure;
use crate::progress::{Progress, Stage, begin};
use crate::targets::Targets;

/// Metrics of one artefact on one dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The objective.
    pub objective: String,
    /// Version of the artefact.
    pub version: String,
    /// Whether this is the data that the model was trained on.
    pub same_data: bool,
    /// Metrics on every part of the split that has rows. If `same_data` is false, the model was not
    /// trained on any of these parts, whatever their names.
    pub parts: Vec<PartReport>,
}

/// Measures `artefact` on every part of `dataset`, for the objective of the model. A label rule
/// that compares with a training median uses the median with which the model was trained.
///
/// # Errors
/// [`TrainerError`] if the dataset cannot be read, does not have the objective, or lacks an input
/// of the model.
pub fn evaluate(
    artefact: &Artefact,
    dataset: &Dataset,
    report: &mut dyn FnMut(Progress),
) -> Result<Evaluation, TrainerError> {
    begin(report, Stage::Read);
    let loaded = dataset.load_as(artefact.model.objective(), artefact.model.schema())?;
    let labels = loaded.labels_at(artefact.report.data.label_threshold);
    begin(report, Stage::Measure);
    Ok(Evaluation {
        objective: artefact.model.objective().to_owned(),
        version: artefact.version.clone(),
        same_data: artefact.report.data.fingerprint == loaded.fingerprint,
        parts: measure::parts(&artefact.model, &loaded, &Targets::single(&labels))?,
    })
}
