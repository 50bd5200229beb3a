//! Setting weights, and confirming them for models that were replaced.

use super::{
    audience::AudienceChange,
    binding::{bind, check_binding, confirmed},
    change_audience::change_audience,
    check::{check_range, check_step, merged},
    every_set::check_every_weight_set,
    planner::{Planner, ProfileAtRevision},
};
use crate::{
    entry::Change,
    error::PlanError,
    in_force::{InForce, named},
    log_state::LogState,
    profile::{Action, ProfileState},
    weight::{ModelBinding, ObjectiveWeight},
};

/// The requested change of one profile.
#[derive(Debug, Clone)]
pub struct ProfileChange {
    /// The profile.
    pub at: ProfileAtRevision,
    /// The objectives that get a new weight.
    pub weights: Vec<ObjectiveWeight>,
    /// The models that the weights were tuned for, as the writer names them.
    pub bindings: Vec<ModelBinding>,
    /// Binds every weight to the model that is served now.
    pub confirm_models: bool,
    /// The requested segments, experiments and exploration.
    pub audience: AudienceChange,
}

/// As [`Planner::set`].
pub(super) fn plan(
    planner: &Planner,
    log: &LogState,
    changes: &[ProfileChange],
) -> Result<Change, PlanError> {
    let mut profiles: Vec<ProfileState> = Vec::with_capacity(changes.len());
    for change in changes {
        let current = planner.current(log, &change.at, &profiles)?;
        profiles.push(changed(planner, &current, change)?);
    }
    Ok(Change {
        action: Action::Set,
        forced: planner.context.forced,
        profiles,
    })
}

fn changed(
    planner: &Planner,
    current: &InForce,
    change: &ProfileChange,
) -> Result<ProfileState, PlanError> {
    let (profile, context) = (&*current.profile, &planner.context);
    let mut state = ProfileState {
        ramp: None,
        ..current.state()
    };
    let moves = !change.weights.is_empty();
    if moves || change.audience.is_empty() && !change.confirm_models {
        let weights = merged(current, &change.weights)?;
        if !context.forced {
            check_range(profile, &weights)?;
            check_step(profile, &current.weights, &weights)?;
        }
        state.weights = named(profile, weights.as_slice());
    }
    if change.confirm_models {
        state.bindings = confirmed(context, profile, &change.bindings)?;
    } else if moves {
        state.bindings = bind(context, current, &change.bindings)?;
    } else {
        // Weights that do not move stay bound to what they were tuned for.
        check_binding(context, current, &change.bindings)?;
    }
    if moves || !change.audience.is_empty() {
        change_audience(context, current, &change.audience, &mut state)?;
        check_every_weight_set(profile, &state, Some(current), context.forced)?;
    }
    Ok(state)
}
