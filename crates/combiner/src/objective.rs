//! One objective: the source of its probabilities, and the combiner's calibrator on top.

use std::sync::Arc;

use counterweight_model::{Calibrator, finite_logit};
use counterweight_model_client::{Batch, InputError, Model, ModelError, Prediction};
use counterweight_ranking::clamp_probabilities;
use counterweight_serving::Call;

use crate::{
    config::{self, Config},
    error::CombinerError,
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

/// One probability per candidate, and the model and calibrators that they come from.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Finite, in [0, 1], one per candidate.
    pub(crate) probabilities: Vec<f64>,
    /// How many of them were clamped to [0, 1].
    pub(crate) clamped: usize,
    /// The model's answer before the combiner's calibrator, when it applied one.
    pub(crate) raw: Option<Vec<f64>>,
    /// Empty for a column.
    pub(crate) model_version: String,
    /// Name and version of each calibrator that was applied, comma separated; empty for none.
    pub(crate) calibrator: String,
}

impl Objective {
    /// Prepares the objective; connects to nothing yet.
    pub(crate) fn new(
        objective: &config::Objective,
        config: &Config,
    ) -> Result<Self, CombinerError> {
        let source = match &objective.source {
            config::Source::Model(model) => {
                let most = config.limits.max_message_bytes;
                Source::Model(Arc::new(Model::new(
                    &objective.name,
                    model,
                    most,
                    &config.attributes,
                )?))
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

    /// Whether a column of that name is combined as it was sent.
    pub(crate) fn is_column(&self, name: &str) -> bool {
        let own = matches!(&self.source, Source::Column(column) if column == name);
        own && self.calibrator == Calibrator::None
    }

    /// The probabilities of a batch; `pinned` asks for one version of the model instead of the
    /// served one.
    pub(crate) async fn answer(
        &self,
        batch: &Batch<'_>,
        call: &Call,
        pinned: Option<&str>,
    ) -> Result<Answer, ModelError> {
        let Prediction {
            mut probabilities,
            clamped,
            model_version,
            mut calibrator,
        } = match &self.source {
            Source::Model(model) => model.infer(batch, call, pinned).await?,
            Source::Column(column) => self.column(column, batch)?,
        };
        let mut raw = None;
        if self.calibrator != Calibrator::None {
            if let Source::Model(_) = self.source {
                raw = Some(probabilities.clone());
            }
            for probability in &mut probabilities {
                *probability = self.calibrator.apply(finite_logit(*probability));
            }
        }
        self.add_calibrator(&mut calibrator);
        Ok(Answer {
            probabilities,
            clamped,
            raw,
            model_version,
            calibrator,
        })
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

    /// True when the objective can be asked: its model answers at present, or it has none.
    pub(crate) fn is_live(&self) -> bool {
        match &self.source {
            Source::Model(model) => model.is_live(),
            Source::Column(_) => true,
        }
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

    fn column(&self, name: &str, batch: &Batch<'_>) -> Result<Prediction, InputError> {
        let view = batch.get(name).ok_or_else(|| InputError::MissingFeature {
            objective: self.name.clone(),
            feature: name.to_owned(),
        })?;
        batch.check_per_candidate(view, "a probability column has one per candidate")?;
        if view.width != 1 {
            return Err(InputError::WrongFeature {
                objective: self.name.clone(),
                feature: name.to_owned(),
                problem: format!(
                    "has {} columns; send one probability per candidate",
                    view.width
                ),
            });
        }
        let mut probabilities = view.to_f64()?;
        let clamped =
            clamp_probabilities(&mut probabilities).map_err(|row| InputError::NotAProbability {
                objective: self.name.clone(),
                feature: name.to_owned(),
                row,
                value: probabilities[row],
            })?;
        Ok(Prediction {
            probabilities,
            clamped,
            model_version: String::new(),
            calibrator: String::new(),
        })
    }
}
