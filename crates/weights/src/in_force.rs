//! The weights of one profile that are in force: what the log set last, over the configured
//! defaults.

use std::sync::Arc;

use counterweight_ranking::Weights;

use crate::{
    audience::{
        Chosen, Combination, Experiment, Explained, Exploration, RequestContext, Rules, Segment,
    },
    log_state::LogState,
    profile::{ProfileState, Ramp},
    weight::{ModelBinding, ObjectiveWeight},
};
use crate::{
    config::{Config, Profile},
    error::Mismatch,
};

/// The weights of one profile as they are in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The profile.
    pub profile: Arc<Profile>,
    /// In the order of the profile's objectives.
    pub weights: Weights,
    /// The entry that set them; 0 for the configured defaults.
    pub revision: u64,
    /// What each weight was tuned for, in the same order; none when that is not recorded.
    pub bindings: Vec<Option<ModelBinding>>,
    /// The ramp under way.
    pub ramp: Option<Ramp>,
    /// As in [`ProfileState`].
    pub segments: Vec<Segment>,
    /// As in [`ProfileState`].
    pub experiments: Vec<Experiment>,
    /// As in [`ProfileState`].
    pub exploration: Option<Exploration>,
    /// Segments, experiments and exploration, compiled for fast decisions.
    pub(crate) rules: Rules,
}

impl InForce {
    /// What the log says of the profile, or the configured defaults where it says nothing.
    ///
    /// The configuration may have changed since an entry was written: an objective that the entry
    /// does not know has its configured default, and one that is no longer configured is left out,
    /// in segments and arms too.
    ///
    /// # Errors
    /// The resulting weights of some request would all be zero or not finite.
    pub(crate) fn new(
        profile: &Arc<Profile>,
        log: Option<&(u64, ProfileState)>,
    ) -> Result<Self, Mismatch> {
        let Some((revision, set)) = log else {
            return Ok(Self {
                profile: Arc::clone(profile),
                weights: profile.weights.clone(),
                revision: 0,
                bindings: vec![None; profile.objectives.len()],
                ramp: None,
                segments: Vec::new(),
                experiments: Vec::new(),
                exploration: None,
                rules: Rules::default(),
            });
        };
        let objectives: Vec<&str> = profile.objective_names().collect();
        let weight_in_log = |objective: &str| {
            let weight = set.weights.iter().find(|set| set.objective == objective);
            weight.map(|set| set.weight)
        };
        let weights = objectives
            .iter()
            .zip(profile.weights.as_slice())
            .map(|(objective, &default)| weight_in_log(objective).unwrap_or(default))
            .collect();
        let bound = |objective: &&str| {
            let bound = set
                .bindings
                .iter()
                .find(|bound| bound.objective == *objective);
            bound.cloned()
        };
        let mismatch = || Mismatch {
            profile: profile.name.clone(),
            revision: *revision,
        };
        let known = set.known_to(&objectives);
        let in_force = Self {
            profile: Arc::clone(profile),
            weights: Weights::new(weights).map_err(|_| mismatch())?,
            revision: *revision,
            bindings: objectives.iter().map(bound).collect(),
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

    /// Whether the weights of some request would all be zero, or not all finite.
    fn orders_nothing(&self) -> bool {
        let own = self.weights.as_slice();
        let sets =
            |them: Combination<'_>| them.sets().any(|set| Weights::new(set.to_vec()).is_err());
        self.rules.combinations(own).any(sets)
    }

    /// The whole state, as an entry stores it.
    #[must_use]
    pub fn state(&self) -> ProfileState {
        ProfileState {
            profile: self.profile.name.clone(),
            weights: named(&self.profile, self.weights.as_slice()),
            bindings: self.bindings.iter().flatten().cloned().collect(),
            ramp: self.ramp.clone(),
            segments: self.segments.clone(),
            experiments: self.experiments.clone(),
            exploration: self.exploration.clone(),
        }
    }

    /// What applies to one request, and why; an empty request id draws nothing.
    #[must_use]
    pub fn explain(&self, context: RequestContext<'_>) -> Explained {
        self.rules.explain(self.weights.as_slice(), context)
    }

    /// What applies to one request.
    #[must_use]
    pub fn choose(&self, context: RequestContext<'_>) -> Chosen {
        self.choose_over(self.weights.as_slice(), context)
    }

    /// What applies to one request if `own` were the profile's own weights, in the order of its
    /// objectives.
    #[must_use]
    pub fn choose_over(&self, own: &[f64], context: RequestContext<'_>) -> Chosen {
        self.rules.choose(own, context)
    }
}

/// A profile's weights with the names of its objectives.
pub(crate) fn named(profile: &Profile, weights: &[f64]) -> Vec<ObjectiveWeight> {
    profile
        .objective_names()
        .zip(weights)
        .map(|(objective, &weight)| ObjectiveWeight {
            objective: objective.to_owned(),
            weight,
        })
        .collect()
}

/// Logs where the log and the configuration know different profiles and objectives.
pub(crate) fn warn_of_differences(config: &Config, log: &LogState) {
    for (name, (revision, set)) in log.profiles() {
        let Some(profile) = config.position(name).map(|at| &config.profiles[at]) else {
            tracing::warn!(
                profile = name,
                revision,
                "the weights log sets a profile that is not configured"
            );
            continue;
        };
        for objective in profile.objective_names() {
            if !set.weights.iter().any(|set| set.objective == objective) {
                tracing::warn!(
                    profile = name,
                    objective,
                    revision,
                    "the weights log has no weight for this objective yet; its configured default is used"
                );
            }
        }
        for (rule, gone) in set.all_weights() {
            if !profile
                .objective_names()
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
        if set.exploration.is_some() && profile.objectives.len() < 2 {
            tracing::warn!(
                profile = name,
                revision,
                "the weights log explores, but the profile no longer has a second objective"
            );
        }
    }
}
