//! The state of a profile in an entry of the log. It is always the whole profile, so that its last
//! entry is all that has to be read.

use serde::{Deserialize, Serialize};

use crate::{
    audience::{Experiment, Exploration, Segment},
    weight::{ModelBinding, ObjectiveWeight},
};

/// The whole state of one profile as an entry sets it.
///
/// To add a part to a profile, add a field with a default and raise `FORMAT` of `entry`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileState {
    /// Its name.
    pub profile: String,
    /// In objective order.
    pub weights: Vec<ObjectiveWeight>,
    /// What the weights were tuned for; an objective that is not listed is bound to nothing.
    #[serde(rename = "binding", default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<ModelBinding>,
    /// The ramp under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// In the order in which they are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// In the order in which they are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<Experiment>,
    /// Whether and how λ is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploration: Option<Exploration>,
}

impl ProfileState {
    /// Every weight with the segment or arm that sets it, or "" for the profile's own.
    pub(crate) fn all_weights(&self) -> impl Iterator<Item = (&str, &ObjectiveWeight)> {
        let segments = self.segments.iter();
        let arms = self.experiments.iter().flat_map(|one| &one.arms);
        let own = std::iter::once(("", &self.weights));
        own.chain(segments.map(|segment| (segment.name.as_str(), &segment.weights)))
            .chain(arms.map(|arm| (arm.name.as_str(), &arm.weights)))
            .flat_map(|(rule, weights)| weights.iter().map(move |set| (rule, set)))
    }

    /// The state without the weights of other objectives in segments and arms, and without
    /// exploration where there is no second objective.
    pub(crate) fn known_to(&self, objectives: &[&str]) -> Self {
        let mut state = self.clone();
        let weights = state
            .segments
            .iter_mut()
            .map(|segment| &mut segment.weights)
            .chain(
                state
                    .experiments
                    .iter_mut()
                    .flat_map(|experiment| &mut experiment.arms)
                    .map(|arm| &mut arm.weights),
            );
        weights.for_each(|weights| {
            weights.retain(|set| objectives.contains(&set.objective.as_str()));
        });
        state.exploration = state.exploration.filter(|_| objectives.len() > 1);
        state
    }
}

/// A walk from one weight set to another in steps of equal angle. Step s is due at
/// `started + duration · s / steps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// In objective order.
    pub from: Vec<ObjectiveWeight>,
    /// The target, in the same order.
    pub to: Vec<ObjectiveWeight>,
    /// What each weight is scaled by to measure angles, in the same order.
    pub base_rates: Vec<f64>,
    /// The step that the weights stand at; 0 is `from`.
    pub step: u32,
    /// How many there are; the last is the target itself.
    pub steps: u32,
    /// Milliseconds since 1970, by the clock of the server that started it.
    pub started_ms: u64,
    /// In milliseconds.
    pub duration_ms: u64,
    /// Who started it: the author of every step.
    pub author: String,
    /// Why: the reason of every step.
    pub reason: String,
}

/// What an entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Weights were set, or confirmed for other models.
    #[default]
    Set,
    /// The state of an earlier revision was restored.
    Rollback {
        /// That revision.
        of: u64,
    },
    /// A ramp was started.
    RampStarted,
    /// A ramp took a step.
    RampStep {
        /// The step, from 1.
        step: u32,
        /// How many there are.
        steps: u32,
    },
    /// A ramp was stopped.
    RampStopped,
    /// The declared safe sets were put in force.
    Kill,
}
