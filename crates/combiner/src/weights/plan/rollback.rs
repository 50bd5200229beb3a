//! Restoring the weights of an earlier revision.

use counterweight_ranking::Weights;

use super::{Planner, ProfileAt};
use crate::{
    error::CombinerError,
    weights::{
        entry::Change,
        in_force::InForce,
        log_state::LogState,
        profile::{Action, ProfileState},
    },
};

/// A profile, and what the log said of it at the revision that is restored; none for the configured defaults.
#[derive(Debug, Clone)]
pub(crate) struct Restored {
    pub(crate) at: ProfileAt,
    pub(crate) then: Option<(u64, ProfileState)>,
}

impl Planner {
    /// Restores some profiles as they were at a revision, with segments, experiments and exploration; a ramp that ran then stays stopped.
    pub(crate) fn rollback(
        &self,
        log: &LogState,
        revision: u64,
        restored: &[Restored],
    ) -> Result<Change, CombinerError> {
        let mut profiles: Vec<ProfileState> = Vec::with_capacity(restored.len());
        for Restored { at, then } in restored {
            let (position, current) = self.current(log, at, &profiles)?;
            let then = InForce::new(&self.config, position, then.as_ref())?;
            let weights: &Weights = &then.weights;
            self.check_range(position, weights)?;
            self.check_step(position, &current.weights, weights)?;
            let state = ProfileState {
                ramp: None,
                ..then.state(&self.config, position)
            };
            self.check_everybody(position, &state, Some(&current))?;
            profiles.push(state);
        }
        Ok(Change {
            action: Action::Rollback { of: revision },
            forced: self.forced,
            profiles,
        })
    }
}
