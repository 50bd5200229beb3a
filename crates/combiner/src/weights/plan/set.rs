//! Setting weights, and confirming them for models that were replaced.

use super::{AudienceChange, Planner, ProfileAt};
use crate::{
    error::CombinerError,
    weights::{
        entry::Change,
        in_force::{InForce, named},
        log_state::LogState,
        profile::{Action, Bound, ObjectiveWeight, ProfileState},
    },
};

/// What is to become of one profile.
#[derive(Debug, Clone)]
pub(crate) struct ProfileChange {
    pub(crate) at: ProfileAt,
    /// The objectives that get a new weight.
    pub(crate) weights: Vec<ObjectiveWeight>,
    /// What the writer says that the weights were tuned for.
    pub(crate) binding: Vec<Bound>,
    /// Binds every weight to what is served now.
    pub(crate) confirm_models: bool,
    /// What becomes of segments, experiments and exploration.
    pub(crate) audience: AudienceChange,
}

impl Planner {
    /// Replaces the weights of some profiles; a ramp that runs there is stopped by it.
    pub(crate) fn set(
        &self,
        log: &LogState,
        changes: &[ProfileChange],
    ) -> Result<Change, CombinerError> {
        let mut profiles: Vec<ProfileState> = Vec::with_capacity(changes.len());
        for change in changes {
            let (position, current) = self.current(log, &change.at, &profiles)?;
            profiles.push(self.changed(position, &current, change)?);
        }
        Ok(Change {
            action: Action::Set,
            forced: self.forced,
            profiles,
        })
    }

    fn changed(
        &self,
        position: usize,
        current: &InForce,
        change: &ProfileChange,
    ) -> Result<ProfileState, CombinerError> {
        let mut state = ProfileState {
            ramp: None,
            ..current.state(&self.config, position)
        };
        let moves = !change.weights.is_empty();
        if moves || change.audience.is_empty() && !change.confirm_models {
            let weights = self.merged(position, current, &change.weights)?;
            self.check_range(position, &weights)?;
            self.check_step(position, &current.weights, &weights)?;
            state.weights = named(&self.config, position, weights.as_slice());
        }
        if change.confirm_models {
            state.binding = self.confirmed(position, &change.binding)?;
        } else if moves {
            state.binding = self.bound(position, current, &change.binding)?;
        } else {
            // Weights that do not move stay bound to what they were tuned for.
            self.check_binding(position, current, &change.binding)?;
        }
        if moves || !change.audience.is_empty() {
            self.change_audience(position, current, &change.audience, &mut state)?;
            self.check_everybody(position, &state, Some(current))?;
        }
        Ok(state)
    }
}
