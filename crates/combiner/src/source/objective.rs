//! One objective: the source of its probabilities, and the combiner's calibrator on top.

use std::sync::Arc;

use counterweight_model::{Calibrator, finite_logit};
use counterweight_ranking::clamp_probabilities;
use counterweight_serving::Call;

use super::{
    answer::{Answer, SourceError},
    model::Model,
};
use crate::{
    batch::Batch,
    config::{self, Config},
    error::{CombinerError, RequestError},
};

/// One objective, ready to answer.
#[derive(Debug)]
pub(crate) struct Objective {
    pub(crate) name: String,
    pub(crate) source: Source,
    calibrator: Calibrator,
    /// The calibrator's name and version; empty for none.
    calibrator_version: String,
}

/// Where the probabilities come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A model behind the Open Inference Protocol.
    Model(Arc<Model>),
    /// A column of the request.
    Column(String),
}

impl Objective {
    /// Prepares the objective; connects to nothing yet.
    pub(crate) fn new(
        objective: &config::Objective,
        config: &Config,
    ) -> Result<Self, CombinerError> {
        let source = match &objective.source {
            config::Source::Model(model) => {
                Source::Model(Arc::new(Model::new(&objective.name, model, config)?))
            }
            config::Source::Column { name } => Source::Column(name.clone()),
        };
        let calibrator_version = match &objective.calibrator {
            Calibrator::None => String::new(),
            calibrator => calibrator.version(),
        };
        Ok(Self {
            name: objective.name.clone(),
            source,
            calibrator: objective.calibrator.clone(),
            calibrator_version,
        })
    }

    /// The probabilities of a batch; `pinned` asks for one version of the model instead of the
    /// served one.
    pub(crate) async fn answer(
        &self,
        batch: &Batch<'_>,
        call: &Call,
        pinned: Option<&str>,
    ) -> Result<Answer, SourceError> {
        let mut answer = match &self.source {
            Source::Model(model) => model.infer(batch, call, pinned).await?,
            Source::Column(column) => self.column(column, batch)?,
        };
        if self.calibrator != Calibrator::None {
            if let Source::Model(_) = self.source {
                answer.raw = Some(answer.probabilities.clone());
            }
            for probability in &mut answer.probabilities {
                *probability = self.calibrator.apply(finite_logit(*probability));
            }
        }
        self.add_calibrator(&mut answer.calibrator);
        Ok(answer)
    }

    /// The model version and the calibrators that are served now, as an answer names them; none
    /// when the model has not reported them.
    pub(crate) fn served(&self) -> Option<(String, String)> {
        let (version, mut calibrator) = match &self.source {
            Source::Column(_) => (String::new(), String::new()),
            Source::Model(model) => {
                let inputs = model.inputs().filter(|inputs| !inputs.version.is_empty())?;
                (inputs.version.clone(), inputs.calibrator.clone())
            }
        };
        self.add_calibrator(&mut calibrator);
        Some((version, calibrator))
    }

    /// True when the objective has a model and no server of it answers at present.
    pub(crate) fn is_down(&self) -> bool {
        match &self.source {
            Source::Model(model) => model.is_down(),
            Source::Column(_) => false,
        }
    }

    fn add_calibrator(&self, names: &mut String) {
        if !names.is_empty() && !self.calibrator_version.is_empty() {
            names.push_str(", ");
        }
        names.push_str(&self.calibrator_version);
    }

    fn column(&self, name: &str, batch: &Batch<'_>) -> Result<Answer, RequestError> {
        let view = batch
            .get(name)
            .ok_or_else(|| RequestError::MissingFeature {
                objective: self.name.clone(),
                feature: name.to_owned(),
            })?;
        batch.check_per_candidate(view, "a probability column has one per candidate")?;
        if view.width != 1 {
            return Err(RequestError::WrongFeature {
                objective: self.name.clone(),
                feature: name.to_owned(),
                problem: format!(
                    "has {} columns; send one probability per candidate",
                    view.width
                ),
            });
        }
        let mut probabilities = view.to_f64()?;
        let clamped = clamp_probabilities(&mut probabilities).map_err(|row| {
            RequestError::NotAProbability {
                objective: self.name.clone(),
                feature: name.to_owned(),
                row,
                value: probabilities[row],
            }
        })?;
        Ok(Answer {
            probabilities,
            clamped,
            raw: None,
            model_version: String::new(),
            calibrator: String::new(),
        })
    }
}
