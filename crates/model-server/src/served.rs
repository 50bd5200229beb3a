//! One loaded version: the model, and everything about it that is the same for all requests.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use counterweight_model::{Artefact, Model, ModelError};
use counterweight_proto::inference::{InferParameter, infer_parameter::ParameterChoice};

use crate::metrics::{Metrics, VersionMetrics};

/// A version that answers requests. It lives as long as a request holds it.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) model: Model,
    pub(crate) metrics: VersionMetrics,
    /// When the artefact was written, since 1970.
    pub(crate) written: Duration,
    inputs: HashMap<String, usize>,
    calibrator: String,
}

impl Served {
    /// Reads the version folder `dir`, with every check.
    pub(crate) fn load(name: &str, dir: &Path, metrics: &Metrics) -> Result<Self, ModelError> {
        let artefact = Artefact::load(dir)?;
        let written = std::fs::metadata(dir.join("MANIFEST.json"))
            .and_then(|file| file.modified())
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        let inputs = artefact.model.schema().inputs();
        Ok(Self {
            name: name.to_owned(),
            metrics: metrics.of_version(name, &artefact.version),
            written,
            inputs: inputs
                .iter()
                .enumerate()
                .map(|(index, input)| (input.name.clone(), index))
                .collect(),
            calibrator: artefact.model.calibrator().version(),
            model: artefact.model,
            version: artefact.version,
        })
    }

    /// Position of an input in the schema.
    pub(crate) fn input_index(&self, name: &str) -> Option<usize> {
        self.inputs.get(name).copied()
    }

    /// The parameters of every answer and of the metadata.
    pub(crate) fn parameters(&self) -> HashMap<String, InferParameter> {
        HashMap::from([("calibrator".to_owned(), text(&self.calibrator))])
    }
}

/// A string parameter.
pub(crate) fn text(value: impl Into<String>) -> InferParameter {
    InferParameter {
        parameter_choice: Some(ParameterChoice::StringParam(value.into())),
    }
}
