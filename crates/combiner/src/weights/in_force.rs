//! The weights of one profile as they are in force: what the log set last, over the configured defaults.

use counterweight_ranking::Weights;

use super::{
    audience::{Chosen, Combination, Experiment, Explained, Exploration, Rules, Segment, Who},
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
    /// These three, ready to decide.
    pub(crate) rules: Rules,
}

impl InForce {
    /// What the log says of the profile at that position, or the configured defaults where it says nothing.
    ///
    /// The configuration may have changed since an entry was written: an objective that the entry does not know has its
    /// configured default, and one that is no longer configured is left out, in segments and arms too.
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
                rules: Rules::default(),
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
        let mismatch = || CombinerError::StoreMismatch {
            store: config.store.to_string(),
            profile: configured.name.clone(),
            revision: *revision,
        };
        let objectives: Vec<&str> = config.objective_names(profile).collect();
        let known = set.known_to(&objectives);
        let in_force = Self {
            weights: Weights::new(weights).map_err(|_| mismatch())?,
            revision: *revision,
            binding: objectives
                .iter()
                .map(|objective| {
                    let bound = set
                        .binding
                        .iter()
                        .find(|bound| bound.objective == *objective);
                    bound.cloned()
                })
                .collect(),
            ramp: set.ramp.clone(),
            rules: Rules::new(&known, &objectives),
            segments: known.segments,
            experiments: known.experiments,
            exploration: known.exploration,
        };
        match in_force.orders_nothing() {
            true => Err(mismatch()),
            false => Ok(in_force),
        }
    }

    /// Whether the weights of some request would all be zero, or none is finite.
    fn orders_nothing(&self) -> bool {
        let own = self.weights.as_slice();
        let sets =
            |them: Combination<'_>| them.sets().any(|set| Weights::new(set.to_vec()).is_err());
        self.rules.combinations(own).any(sets)
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

    /// What applies to one request, and why; an empty request id draws nothing.
    pub(crate) fn explain(&self, who: Who<'_>) -> Explained {
        self.rules.explain(self.weights.as_slice(), who)
    }

    /// What applies to one request.
    pub(crate) fn choose(&self, who: Who<'_>) -> Chosen {
        self.rules.choose(self.weights.as_slice(), who)
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
        for (rule, gone) in set.all_weights() {
            if !config
                .objective_names(profile)
                .any(|objective| objective == gone.objective)
            {
                tracing::warn!(
                    profile = name,
                    rule,
                    objective = gone.objective,
                    revision,
                    "the weights log sets an objective that the profile no longer has"
                );
            }
        }
        if set.exploration.is_some() && config.profiles[profile].objectives.len() < 2 {
            tracing::warn!(
                profile = name,
                revision,
                "the weights log explores, and the profile no longer has a second objective"
            );
        }
    }
}
