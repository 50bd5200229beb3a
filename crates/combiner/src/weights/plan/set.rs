//! Setting weights, and confirming them for models that were replaced.

use super::{Planner, ProfileAt};
use crate::{
    error::CombinerError,
    weights::{
        entry::Change,
        in_force::named,
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
            let weights = if change.confirm_models && change.weights.is_empty() {
                current.weights.clone()
            } else {
                let weights = self.merged(position, &current, &change.weights)?;
                self.check_range(position, &weights)?;
                self.check_step(position, &current.weights, &weights)?;
                weights
            };
            profiles.push(ProfileState {
                weights: named(&self.config, position, weights.as_slice()),
                binding: if change.confirm_models {
                    self.confirmed(position, &change.binding)?
                } else {
                    self.bound(position, &current, &change.binding)?
                },
                ramp: None,
                ..current.state(&self.config, position)
            });
        }
        Ok(Change {
            action: Action::Set,
            forced: self.forced,
            profiles,
        })
    }
}
