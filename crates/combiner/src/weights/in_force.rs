//! The weights of one profile as they are in force: what the log set last, over the configured defaults.

use counterweight_ranking::Weights;

use super::entry::{ObjectiveWeight, ProfileWeights};
use crate::{config::Config, error::CombinerError};

/// The weights of one profile as they are in force.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    /// In the order of the profile's objectives.
    pub(crate) weights: Weights,
    /// The entry that set them; 0 for the configured defaults.
    pub(crate) revision: u64,
}

impl InForce {
    /// The configured defaults.
    pub(super) fn of_config(config: &Config, profile: usize) -> Self {
        Self {
            weights: config.profiles[profile].weights.clone(),
            revision: 0,
        }
    }

    /// What an entry set. The configuration may have changed since it was written: an objective that the entry does not
    /// know keeps its configured default, and one that is no longer configured is left out; both are logged.
    pub(super) fn of_log(
        config: &Config,
        profile: usize,
        revision: u64,
        set: &ProfileWeights,
    ) -> Result<Self, CombinerError> {
        let configured = &config.profiles[profile];
        let mut weights = configured.weights.as_slice().to_vec();
        for (weight, objective) in weights.iter_mut().zip(config.objective_names(profile)) {
            match set.weights.iter().find(|set| set.objective == objective) {
                Some(set) => *weight = set.weight,
                None => tracing::warn!(
                    profile = configured.name,
                    objective,
                    weight,
                    revision,
                    "the weights log knows no weight for this objective yet; its configured default is used"
                ),
            }
        }
        for gone in &set.weights {
            if !config
                .objective_names(profile)
                .any(|objective| objective == gone.objective)
            {
                tracing::warn!(
                    profile = configured.name,
                    objective = gone.objective,
                    revision,
                    "the weights log sets an objective that the profile no longer has"
                );
            }
        }
        let weights = Weights::new(weights).map_err(|_| CombinerError::StoreMismatch {
            path: config.store.clone(),
            profile: configured.name.clone(),
            revision,
        })?;
        Ok(Self { weights, revision })
    }
}

/// A profile's weights with the names of its objectives.
pub(crate) fn named(config: &Config, profile: usize, weights: &Weights) -> ProfileWeights {
    ProfileWeights {
        profile: config.profiles[profile].name.clone(),
        weights: config
            .objective_names(profile)
            .zip(weights.as_slice())
            .map(|(objective, &weight)| ObjectiveWeight {
                objective: objective.to_owned(),
                weight,
            })
            .collect(),
    }
}
