//! How well a trained model does on the rows of a dataset.

use counterweight_dataset::Dataset;
use counterweight_model::{Artefact, PartReport};
use serde::Serialize;

use crate::progress::{Progress, Stage, begin};
use crate::targets::Targets;
use crate::{TrainerError, measure};

/// Metrics of one artefact on one dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The objective.
    pub objective: String,
    /// Version of the artefact.
    pub version: String,
    /// Whether these are the rows that the model was trained and measured on.
    pub same_data: bool,
    /// Metrics on every part of the dataset's split that has rows. On other data than the model's the parts mean nothing
    /// but their names: no row of it was trained on.
    pub parts: Vec<PartReport>,
}

/// Measures `artefact` on every part of `dataset`, for the objective of the model. Labels that depend on a training median
/// take the one that the model was trained with.
///
/// # Errors
/// [`TrainerError`] when the dataset cannot be read, does not have the objective, or lacks an input of the model.
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
        parts: measure::parts(&artefact.model, &loaded, &Targets::plain(&labels))?,
    })
}
