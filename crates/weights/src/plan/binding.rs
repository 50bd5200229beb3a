//! Binds weights to the models and calibrators that rank the profile when the weights are set.

use std::slice;

use super::{check::objective, planner::Context};
use crate::{config::Profile, error::PlanError, in_force::InForce, weight::ModelBinding};

/// The bindings of weights that are set: those that the writer names, else the models that rank the
/// profile now. A profile with `hold` is ranked by its bound models, so that moving a weight does
/// not confirm it for another model.
pub(super) fn bind(
    context: &Context,
    current: &InForce,
    named: &[ModelBinding],
) -> Result<Vec<ModelBinding>, PlanError> {
    check_binding(context, current, named)?;
    let profile = &*current.profile;
    let mut binding = Vec::new();
    for at in 0..profile.objectives.len() {
        let served = served_as(context, profile, at);
        let bound = pinned(current, at).or_else(|| served.clone());
        if names(named, profile, at) {
            // It may name the version that is served although another is pinned.
            binding.extend(served.filter(|served| matches(named, served)).or(bound));
        } else if bound.is_none() && profile.holds_models() && !context.forced {
            return Err(not_known(profile, at));
        } else {
            binding.extend(bound);
        }
    }
    Ok(binding)
}

/// Refuses a binding that names another model than the one that ranks the profile.
pub(super) fn check_binding(
    context: &Context,
    current: &InForce,
    named: &[ModelBinding],
) -> Result<(), PlanError> {
    let profile = &*current.profile;
    check_named(context, profile, named, |at| {
        pinned(current, at).or_else(|| served_as(context, profile, at))
    })
}

/// The bindings of weights that are confirmed: the models that are served now.
pub(super) fn confirmed(
    context: &Context,
    profile: &Profile,
    named: &[ModelBinding],
) -> Result<Vec<ModelBinding>, PlanError> {
    check_named(context, profile, named, |_| None)?;
    (0..profile.objectives.len())
        .map(|at| served_as(context, profile, at).ok_or_else(|| not_known(profile, at)))
        .collect()
}

/// The bound model of one objective of a profile that stays on its models.
fn pinned(current: &InForce, at: usize) -> Option<ModelBinding> {
    let pinned = current.bindings.get(at)?.clone();
    pinned.filter(|_| current.profile.holds_models())
}

/// Refuses a named binding that is neither served nor the one that `also` gives.
fn check_named(
    context: &Context,
    profile: &Profile,
    named: &[ModelBinding],
    also: impl Fn(usize) -> Option<ModelBinding>,
) -> Result<(), PlanError> {
    for wanted in named {
        let at = objective(profile, &wanted.objective)?;
        let served = served_as(context, profile, at);
        let fits = |bound: &ModelBinding| matches(slice::from_ref(wanted), bound);
        if !served.iter().chain(also(at).iter()).any(fits) {
            return Err(PlanError::NotServed {
                profile: profile.name.clone(),
                objective: wanted.objective.clone(),
                wanted: text(wanted),
                served: served.as_ref().map_or_else(|| "unknown".to_owned(), text),
            });
        }
    }
    Ok(())
}

/// Whether the writer names a binding for the objective at that place.
fn names(named: &[ModelBinding], profile: &Profile, at: usize) -> bool {
    let objective = profile.objective_names().nth(at);
    named
        .iter()
        .any(|bound| Some(bound.objective.as_str()) == objective)
}

/// The model that serves the objective at that place of a profile; none while it is unknown.
fn served_as(context: &Context, profile: &Profile, at: usize) -> Option<ModelBinding> {
    let objective = &profile.objectives.get(at)?.name;
    let served = context.served.get(objective)?;
    Some(ModelBinding {
        objective: objective.clone(),
        model_version: served.model_version.clone(),
        calibrator: served.calibrator.clone(),
    })
}

fn not_known(profile: &Profile, at: usize) -> PlanError {
    let objective = &profile.objectives[at];
    PlanError::VersionUnknown {
        profile: profile.name.clone(),
        objective: objective.name.clone(),
        model: objective.model.clone(),
    }
}

/// Whether the named binding of the same objective is this one; a calibrator that is not named is
/// not compared.
fn matches(named: &[ModelBinding], bound: &ModelBinding) -> bool {
    named.iter().any(|wanted| {
        wanted.objective == bound.objective
            && wanted.model_version == bound.model_version
            && (wanted.calibrator.is_empty() || wanted.calibrator == bound.calibrator)
    })
}

fn text(bound: &ModelBinding) -> String {
    match (bound.model_version.as_str(), bound.calibrator.as_str()) {
        (version, "") => format!("version {version:?}"),
        (version, calibrator) => format!("version {version:?} with calibrator {calibrator:?}"),
    }
}
