//! One loaded version of a model, with everything that is the same for all requests.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use counterweight_model::{Artefact, Model, ModelError};
use counterweight_proto::inference::{InferParameter, infer_parameter::ParameterChoice};

use crate::{
    metrics::{Metrics, VersionMetrics},
    statistics::Statistics,
};

/// A version that answers requests. It stays in memory until the last request that uses it is
/// answered.
pub(crate) struct LoadedVersion {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) model: Model,
    pub(crate) metrics: VersionMetrics,
    pub(crate) statistics: Statistics,
    /// When the artefact was written, as time since 1970; 0 if this is not known.
    pub(crate) written: Duration,
    calibrator: String,
}

impl LoadedVersion {
    /// Reads and checks the version folder `folder` of the model `name`.
    pub(crate) fn load(name: &str, folder: &Path, metrics: &Metrics) -> Result<Self, ModelError> {
        let artefact = Artefact::load(folder)?;
        let written = std::fs::metadata(folder.join("MANIFEST.json"))
            .and_then(|file| file.modified())
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            metrics: metrics.version(name, &artefact.version),
            statistics: Statistics::default(),
            written,
            calibrator: artefact.model.calibrator().version(),
            model: artefact.model,
            version: artefact.version,
        })
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
