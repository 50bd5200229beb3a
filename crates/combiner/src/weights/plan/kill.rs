//! The kill switch: the declared safe sets, at once.

use super::Planner;
use crate::{
    error::CombinerError,
    weights::{
        entry::Change,
        in_force::named,
        profile::{Action, ProfileState},
    },
};

impl Planner {
    /// Puts the safe set of one profile, or of all that declare one, in force. A safe set is bound to no model, and
    /// it was checked against the bounds when the configuration was read; how far it moves is not asked.
    pub(crate) fn kill(&self, profile: &str) -> Result<Change, CombinerError> {
        let chosen = match profile {
            "" => (0..self.config.profiles.len()).collect(),
            name => vec![self.config.profile(name)?],
        };
        let profiles: Vec<ProfileState> = chosen
            .iter()
            .filter_map(|&position| {
                let safe = self.config.profiles[position].safe.as_ref()?;
                Some(ProfileState {
                    profile: self.config.profiles[position].name.clone(),
                    weights: named(&self.config, position, safe.as_slice()),
                    binding: Vec::new(),
                    ramp: None,
                    segments: Vec::new(),
                    experiments: Vec::new(),
                    exploration: None,
                })
            })
            .collect();
        if profiles.is_empty() {
            let names = chosen
                .iter()
                .map(|&at| self.config.profiles[at].name.as_str());
            return Err(CombinerError::NoSafeSet {
                profile: names.collect::<Vec<_>>().join(", "),
            });
        }
        Ok(Change {
            action: Action::Kill,
            forced: false,
            profiles,
        })
    }
}
