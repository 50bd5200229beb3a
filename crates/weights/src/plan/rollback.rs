//! Restoring the weights of an earlier revision.

use super::{
    check::{check_range, check_step},
    every_set::check_every_weight_set,
    planner::{Planner, ProfileAtRevision},
};
use crate::{
    entry::Change,
    error::PlanError,
    in_force::InForce,
    log_state::LogState,
    profile::{Action, ProfileState},
};

/// A profile, and its state at the revision that is restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The profile.
    pub at: ProfileAtRevision,
    /// The revision that had set it then, and its state; none for the configured defaults.
    pub then: Option<(u64, ProfileState)>,
}

/// As [`Planner::rollback`].
pub(super) fn plan(
    planner: &Planner,
    log: &LogState,
    revision: u64,
    restored: &[Restored],
) -> Result<Change, PlanError> {
    let forced = planner.context.forced;
    let mut profiles: Vec<ProfileState> = Vec::with_capacity(restored.len());
    for Restored { at, then } in restored {
        let current = planner.current(log, at, &profiles)?;
        let then = InForce::new(&current.profile, then.as_ref())?;
        if !forced {
            check_range(&current.profile, &then.weights)?;
            check_step(&current.profile, &current.weights, &then.weights)?;
        }
        let state = ProfileState {
            ramp: None,
            ..then.state()
        };
        check_every_weight_set(&current.profile, &state, Some(&current), forced)?;
        profiles.push(state);
    }
    Ok(Change {
        action: Action::Rollback { of: revision },
        forced,
        profiles,
    })
}
