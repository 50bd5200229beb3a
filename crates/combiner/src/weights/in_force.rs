//! The weights of one profile as they are in force: what the log set last, over the configured defaults.

use counterweight_ranking::Weights;

use super::{
    audience::{Chosen, Experiment, Exploration, Segment, Who},
    log_state::LogState,
    profile::{Bound, ObjectiveWeight, ProfileState, Ramp},
};
use crate::{config::Config, error::CombinerError};

/// The weights of one profile as they are in force.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    /// In the order of the profile's objectives.
    pub(crate) weights: Weights,
    /// The entry that set them; 0 for the configured defaults.
    pub(crate) revision: u64,
    /// What each weight was tuned for, in the same order; none when that is not recorded.
    pub(crate) binding: Vec<Option<Bound>>,
    /// The ramp under way.
    pub(crate) ramp: Option<Ramp>,
    /// As in [`ProfileState`].
    pub(crate) segments: Vec<Segment>,
    pub(crate) experiments: Vec<Experiment>,
    pub(crate) exploration: Option<Exploration>,
}

impl InForce {
    /// What the log says of the profile at that position, or the configured defaults where it says nothing.
    ///
    /// The configuration may have changed since an entry was written: an objective that the entry does not know has its
    /// configured default, and one that is no longer configured is left out.
    pub(super) fn new(
        config: &Config,
        profile: usize,
        log: Option<&(u64, ProfileState)>,
    ) -> Result<Self, CombinerError> {
        let configured = &config.profiles[profile];
        let Some((revision, set)) = log else {
            return Ok(Self {
                weights: configured.weights.clone(),
                revision: 0,
                binding: vec![None; configured.objectives.len()],
                ramp: None,
                segments: Vec::new(),
                experiments: Vec::new(),
                exploration: None,
            });
        };
        let named = |objective: &str| {
            let weight = set.weights.iter().find(|set| set.objective == objective);
            weight.map(|set| set.weight)
        };
        let weights = config
            .objective_names(profile)
            .zip(configured.weights.as_slice())
            .map(|(objective, &default)| named(objective).unwrap_or(default))
            .collect();
        Ok(Self {
            weights: Weights::new(weights).map_err(|_| CombinerError::StoreMismatch {
                store: config.store.to_string(),
                profile: configured.name.clone(),
                revision: *revision,
            })?,
            revision: *revision,
            binding: config
                .objective_names(profile)
                .map(|objective| {
                    let bound = set
                        .binding
                        .iter()
                        .find(|bound| bound.objective == objective);
                    bound.cloned()
                })
                .collect(),
            ramp: set.ramp.clone(),
            segments: set.segments.clone(),
            experiments: set.experiments.clone(),
            exploration: set.exploration.clone(),
        })
    }

    /// The whole state as an entry would hold it.
    pub(crate) fn state(&self, config: &Config, profile: usize) -> ProfileState {
        ProfileState {
            profile: config.profiles[profile].name.clone(),
            weights: named(config, profile, self.weights.as_slice()),
            binding: self.binding.iter().flatten().cloned().collect(),
            ramp: self.ramp.clone(),
            segments: self.segments.clone(),
            experiments: self.experiments.clone(),
            exploration: self.exploration.clone(),
        }
    }

    /// What applies to one request.
    pub(crate) fn choose(&self, _who: Who<'_>) -> Chosen {
        Chosen {
            weights: self.weights.as_slice().to_vec(),
            segment: None,
            arm: None,
            draw: None,
        }
    }
}

/// A profile's weights with the names of its objectives.
pub(super) fn named(config: &Config, profile: usize, weights: &[f64]) -> Vec<ObjectiveWeight> {
    config
        .objective_names(profile)
        .zip(weights)
        .map(|(objective, &weight)| ObjectiveWeight {
            objective: objective.to_owned(),
            weight,
        })
        .collect()
}

/// Logs where the log and the configuration know different profiles and objectives.
pub(super) fn warn_of_differences(config: &Config, log: &LogState) {
    for name in log.profiles() {
        let Some((revision, set)) = log.profile(name) else {
            continue;
        };
        let Some(profile) = config.profiles.iter().position(|known| known.name == *name) else {
            tracing::warn!(
                profile = name,
                revision,
                "the weights log sets a profile that is not configured"
            );
            continue;
        };
        for objective in config.objective_names(profile) {
            if !set.weights.iter().any(|set| set.objective == objective) {
                tracing::warn!(
                    profile = name,
                    objective,
                    revision,
                    "the weights log knows no weight for this objective yet; its configured default is used"
                );
            }
        }
        for gone in &set.weights {
            if !config
                .objective_names(profile)
                .any(|objective| objective == gone.objective)
            {
                tracing::warn!(
                    profile = name,
                    objective = gone.objective,
                    revision,
                    "the weights log sets an objective that the profile no longer has"
                );
            }
        }
    }
}
