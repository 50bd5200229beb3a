//! What the objectives are served by, and whether that is what the weights were tuned for.

use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::{
    config::OnModelChange,
    error::{Failure, RequestError},
    rank::{Combined, Engine},
    source::{Side, Source},
    weights::{InForce, KnownAttributes, ModelBinding, ModelIdentity, ProfileState},
};

/// How long a model may take to say which version it serves.
const PATIENCE: Duration = Duration::from_millis(500);

/// An objective whose model or calibrator is not the one that its weight was tuned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unconfirmed {
    pub(crate) bound: ModelBinding,
    pub(crate) served: ModelIdentity,
}

impl Engine {
    /// What each objective is served by, in the order of the configuration; the models are asked, unless they were a
    /// moment ago. None where that is not known.
    pub(crate) async fn served(&self) -> Vec<Option<ModelIdentity>> {
        let deadline = Instant::now() + PATIENCE;
        join_all(self.models().map(|model| model.refresh(deadline))).await;
        self.objectives
            .iter()
            .map(|objective| {
                let (model_version, calibrator) = objective.served()?;
                Some(ModelIdentity {
                    model_version,
                    calibrator,
                })
            })
            .collect()
    }

    /// What segments may ask for, as far as the models have said what they take.
    pub(crate) fn known_attributes(&self) -> KnownAttributes {
        let mut known = KnownAttributes {
            context: self.config.attributes.clone(),
            candidate: Vec::new(),
            complete: self.models().all(|model| model.says_all()),
        };
        for objective in &self.objectives {
            match &objective.source {
                Source::Column(column) => known.candidate.push(column.clone()),
                Source::Model(model) => {
                    for input in model.each_inputs().iter().flat_map(|inputs| &inputs.list) {
                        let side = match input.side {
                            Some(Side::Candidate) => &mut known.candidate,
                            Some(Side::Context) | None => &mut known.context,
                        };
                        side.push(input.name.clone());
                    }
                }
            }
        }
        known
    }

    /// The objectives of a profile whose weights are bound to something else than what is served.
    pub(crate) fn unconfirmed(
        &self,
        profile: usize,
        in_force: &InForce,
        served: &[Option<ModelIdentity>],
    ) -> Vec<Unconfirmed> {
        let objectives = &self.config.profiles[profile].objectives;
        objectives
            .iter()
            .zip(&in_force.binding)
            .filter_map(|(&objective, bound)| {
                let (bound, served) = (bound.as_ref()?, served[objective].as_ref()?);
                differs(bound, &served.model_version, &served.calibrator).then(|| Unconfirmed {
                    bound: bound.clone(),
                    served: served.clone(),
                })
            })
            .collect()
    }

    /// The model version that a profile that holds asks for, for the objective at that place of the profile.
    pub(crate) fn held<'a>(
        &self,
        profile: usize,
        at: usize,
        in_force: &'a InForce,
    ) -> Option<&'a str> {
        if self.config.profiles[profile].on_model_change != OnModelChange::Hold {
            return None;
        }
        let bound = in_force.binding[at].as_ref()?;
        Some(bound.model_version.as_str()).filter(|version| !version.is_empty())
    }

    /// Compares what answered with what the weights are bound to: a profile that holds refuses, another one says so.
    pub(crate) fn check_binding(
        &self,
        profile: usize,
        in_force: &InForce,
        combined: &[Combined],
    ) -> Result<Vec<Unconfirmed>, RequestError> {
        let configured = &self.config.profiles[profile];
        let mut unconfirmed = Vec::new();
        for one in combined {
            let at = configured
                .objectives
                .iter()
                .position(|&objective| objective == one.objective);
            let Some(bound) = at.and_then(|at| in_force.binding[at].as_ref()) else {
                continue;
            };
            if !differs(bound, &one.answer.model_version, &one.answer.calibrator) {
                continue;
            }
            if configured.on_model_change == OnModelChange::Hold {
                return Err(RequestError::HeldCalibratorGone {
                    objective: bound.objective.clone(),
                    held: bound.calibrator.clone(),
                    applied: one.answer.calibrator.clone(),
                });
            }
            unconfirmed.push(Unconfirmed {
                bound: bound.clone(),
                served: ModelIdentity {
                    model_version: one.answer.model_version.clone(),
                    calibrator: one.answer.calibrator.clone(),
                },
            });
        }
        Ok(unconfirmed)
    }

    /// Refuses to restore a state of a profile that holds when a version that it is bound to is not served.
    pub(crate) async fn check_holdable(
        &self,
        profile: usize,
        state: &ProfileState,
    ) -> Result<(), RequestError> {
        let configured = &self.config.profiles[profile];
        if configured.on_model_change != OnModelChange::Hold {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        for bound in &state.binding {
            let objective = configured
                .objectives
                .iter()
                .map(|&objective| &self.objectives[objective])
                .find(|objective| objective.name == bound.objective);
            if let Some(objective) = objective
                && let Source::Model(model) = &objective.source
                && !bound.model_version.is_empty()
                && let Err(Failure::NotServed(reason)) =
                    model.inputs_of(&bound.model_version, deadline).await
            {
                return Err(RequestError::HeldVersionGone {
                    objective: bound.objective.clone(),
                    model: model.name().to_owned(),
                    version: bound.model_version.clone(),
                    reason,
                });
            }
        }
        Ok(())
    }
}

fn differs(bound: &ModelBinding, model_version: &str, calibrator: &str) -> bool {
    bound.model_version != model_version || bound.calibrator != calibrator
}
