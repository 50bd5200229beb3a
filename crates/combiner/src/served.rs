//! Compares the models that serve the objectives with those that the weights were tuned for.

use std::time::{Duration, Instant};

use counterweight_model_client::{Failure, Side};
use futures::future::join_all;

use crate::{
    config::{Config, OnModelChange, Profile},
    error::RequestError,
    objective::Source,
    objectives::Objectives,
    ranking::{Combined, Unconfirmed},
    weights::{InForce, KnownAttributes, ModelBinding, ModelIdentity, ProfileState},
};

/// How long a model may take to report its version.
const PATIENCE: Duration = Duration::from_millis(500);

/// The model that serves each objective, in the order of the configuration; none when it is
/// unknown. The models are asked again unless they answered a moment ago.
pub(crate) async fn served(objectives: &Objectives) -> Vec<Option<ModelIdentity>> {
    let deadline = Instant::now() + PATIENCE;
    join_all(objectives.models().map(|model| model.refresh(deadline))).await;
    let objectives = objectives.list.iter();
    objectives
        .map(|objective| {
            let (model_version, calibrator) = objective.served()?;
            Some(ModelIdentity {
                model_version,
                calibrator,
            })
        })
        .collect()
}

/// The attributes that segments may use, as far as the models have described their inputs.
pub(crate) fn known_attributes(objectives: &Objectives) -> KnownAttributes {
    let mut known = KnownAttributes {
        context: objectives.attributes.clone(),
        candidate: Vec::new(),
        complete: objectives.models().all(|model| model.metadata_complete()),
    };
    for objective in &objectives.list {
        match &objective.source {
            Source::Column(column) => known.candidate.push(column.clone()),
            Source::Model(model) => {
                for input in model.all_inputs().iter().flat_map(|inputs| &inputs.list) {
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

/// The objectives of a profile whose weights are bound to another model than the served one.
pub(crate) fn unconfirmed(
    profile: &Profile,
    in_force: &InForce,
    served: &[Option<ModelIdentity>],
) -> Vec<Unconfirmed> {
    let objectives = profile.objectives.iter();
    objectives
        .zip(&in_force.bindings)
        .filter_map(|(&objective, bound)| {
            let (bound, served) = (bound.as_ref()?, served.get(objective)?.as_ref()?);
            differs(bound, &served.model_version, &served.calibrator).then(|| Unconfirmed {
                bound: bound.clone(),
                served: served.clone(),
            })
        })
        .collect()
}

/// The pinned model version of the objective at that place of the profile: the one that its weights
/// were tuned for. None unless the profile has `hold`.
pub(crate) fn pinned_version<'a>(
    profile: &Profile,
    at: usize,
    in_force: &'a InForce,
) -> Option<&'a str> {
    if profile.on_model_change != OnModelChange::Hold {
        return None;
    }
    let bound = in_force.bindings.get(at)?.as_ref()?;
    Some(bound.model_version.as_str()).filter(|version| !version.is_empty())
}

/// Compares the models that answered with those that the weights are bound to. A profile with
/// `hold` refuses a difference, any other reports it.
pub(crate) fn check_binding(
    profile: &Profile,
    in_force: &InForce,
    combined: &[Combined],
) -> Result<Vec<Unconfirmed>, RequestError> {
    let mut unconfirmed = Vec::new();
    for one in combined {
        let mut objectives = profile.objectives.iter();
        let at = objectives.position(|&objective| objective == one.objective);
        let Some(bound) = at.and_then(|at| in_force.bindings.get(at)?.as_ref()) else {
            continue;
        };
        if !differs(bound, &one.answer.model_version, &one.answer.calibrator) {
            continue;
        }
        // A weight of 0 is right for any calibrator.
        if profile.on_model_change == OnModelChange::Hold && one.weight != 0.0 {
            return Err(RequestError::PinnedCalibratorGone {
                objective: bound.objective.clone(),
                pinned: bound.calibrator.clone(),
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

/// Refuses to restore a state of a profile with `hold` when a version that it is bound to is not
/// served.
pub(crate) async fn check_restorable(
    config: &Config,
    objectives: &Objectives,
    profile: usize,
    state: &ProfileState,
) -> Result<(), RequestError> {
    let profile = &config.profiles[profile];
    if profile.on_model_change != OnModelChange::Hold {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    for bound in &state.bindings {
        let objective = profile
            .objectives
            .iter()
            .map(|&objective| &objectives.list[objective])
            .find(|objective| objective.name == bound.objective);
        if let Some(objective) = objective
            && let Source::Model(model) = &objective.source
            && !bound.model_version.is_empty()
            && let Err(Failure::NotServed(reason)) =
                model.find_version(&bound.model_version, deadline).await
        {
            return Err(RequestError::PinnedVersionGone {
                objective: bound.objective.clone(),
                model: model.name().to_owned(),
                version: bound.model_version.clone(),
                reason,
            });
        }
    }
    Ok(())
}

fn differs(bound: &ModelBinding, model_version: &str, calibrator: &str) -> bool {
    bound.model_version != model_version || bound.calibrator != calibrator
}
