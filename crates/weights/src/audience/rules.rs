//! Decides which segment, arm and λ a request gets. [`Rules::choose`] and [`Rules::explain`] use
//! the same predicates.

use std::sync::Arc;

use counterweight_ranking::Density;

use super::{Attribute, Chosen, Condition, Draw, RequestContext, Test, Value, assign::bucket};
use crate::{profile::ProfileState, weight::ObjectiveWeight};

/// Segments, experiments and exploration of one profile, with objectives as their positions in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(super) segments: Vec<SegmentRule>,
    pub(super) experiments: Vec<ExperimentRule>,
    pub(super) exploration: Option<ExplorationRule>,
}

/// Position of an objective, and its weight.
pub(super) type Replaced = Vec<(usize, f64)>;

#[derive(Debug, Clone)]
pub(super) struct SegmentRule {
    pub(super) name: Arc<str>,
    conditions: Vec<Condition>,
    pub(super) weights: Replaced,
}

#[derive(Debug, Clone)]
pub(super) struct ExperimentRule {
    pub(super) name: String,
    salt: String,
    pub(super) segment: Option<String>,
    pub(super) arms: Vec<ArmRule>,
    /// The first bucket after each run, ascending, and the arm of the run.
    ends: Vec<(u32, Option<usize>)>,
}

#[derive(Debug, Clone)]
pub(super) struct ArmRule {
    /// As `experiment/arm`.
    pub(super) label: Arc<str>,
    pub(super) weights: Replaced,
}

#[derive(Debug, Clone)]
pub(super) struct ExplorationRule {
    pub(super) density: Density,
    /// As `experiment/arm`.
    pub(super) arm: Option<String>,
    pub(super) seed: u64,
}

/// Whether a λ is drawn where the profile explores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Drawing {
    Lambda,
    Nothing,
}

/// Why a segment does not apply.
#[derive(Debug)]
pub(super) struct Misfit<'a> {
    pub(super) condition: &'a Condition,
    /// None when the attribute is missing.
    pub(super) found: Option<&'a Value>,
}

/// Why an experiment has no arm for a request.
#[derive(Debug)]
pub(super) enum NoArm<'a> {
    /// The experiment is restricted to another segment.
    OtherSegment(&'a str),
    NoUnit,
    /// The unit's bucket has none.
    Bucket(u32),
}

impl Rules {
    /// The rules of a state; an objective that is not among these is left out.
    pub(crate) fn new(state: &ProfileState, objectives: &[&str]) -> Self {
        let position = |name: &str| objectives.iter().position(|known| *known == name);
        let replaced = |weights: &[ObjectiveWeight]| -> Replaced {
            let known = weights.iter();
            known
                .filter_map(|set| Some((position(&set.objective)?, set.weight)))
                .collect()
        };
        Self {
            segments: state
                .segments
                .iter()
                .map(|segment| SegmentRule {
                    name: segment.name.as_str().into(),
                    conditions: segment.conditions.clone(),
                    weights: replaced(&segment.weights),
                })
                .collect(),
            experiments: state
                .experiments
                .iter()
                .map(|experiment| ExperimentRule {
                    name: experiment.name.clone(),
                    salt: experiment.salt.clone(),
                    segment: experiment.segment.clone(),
                    arms: experiment
                        .arms
                        .iter()
                        .map(|arm| ArmRule {
                            label: format!("{}/{}", experiment.name, arm.name).into(),
                            weights: replaced(&arm.weights),
                        })
                        .collect(),
                    ends: ends(&experiment.buckets),
                })
                .collect(),
            exploration: state
                .exploration
                .as_ref()
                .map(|exploration| ExplorationRule {
                    density: exploration.density(),
                    arm: exploration.arm.clone(),
                    seed: exploration.seed,
                }),
        }
    }

    /// What applies to one request, over the profile's own weights.
    pub(crate) fn choose(&self, own: &[f64], who: RequestContext<'_>) -> Chosen {
        self.choose_with(own, who, Drawing::Lambda)
    }

    pub(super) fn choose_with(
        &self,
        own: &[f64],
        who: RequestContext<'_>,
        drawing: Drawing,
    ) -> Chosen {
        let mut weights = own.to_vec();
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.misfit(who.attributes).is_none());
        if let Some(segment) = segment {
            replace(&mut weights, &segment.weights);
        }
        let name = segment.map(|segment| &*segment.name);
        let arm = self
            .experiments
            .iter()
            .find_map(|experiment| experiment.arm(name, who.unit_id).ok());
        if let Some(arm) = arm {
            replace(&mut weights, &arm.weights);
        }
        let draw = self
            .exploration
            .as_ref()
            .filter(|exploration| {
                drawing == Drawing::Lambda && exploration.takes(arm.map(|arm| &*arm.label))
            })
            .map(|exploration| Draw::new(exploration.density, exploration.seed, who.request_id));
        if let Some(draw) = draw {
            explore(&mut weights, draw.lambda);
        }
        Chosen {
            weights,
            segment: segment.map(|segment| Arc::clone(&segment.name)),
            arm: arm.map(|arm| Arc::clone(&arm.label)),
            draw,
        }
    }
}

impl SegmentRule {
    /// The first condition that does not hold; none where the segment fits.
    pub(super) fn misfit<'a>(&'a self, attributes: &'a [Attribute]) -> Option<Misfit<'a>> {
        self.conditions.iter().find_map(|condition| {
            let found = attributes
                .iter()
                .find(|attribute| attribute.name == condition.attribute)
                .map(|attribute| &attribute.value);
            let holds = found.is_some_and(|value| condition.test.holds(value));
            (!holds).then_some(Misfit { condition, found })
        })
    }
}

impl SegmentRule {
    /// The attributes of the request that make the segment apply.
    pub(super) fn fit(&self, attributes: &[Attribute]) -> String {
        let found = self.conditions.iter().filter_map(|condition| {
            let mut known = attributes.iter();
            let found = known.find(|attribute| attribute.name == condition.attribute)?;
            Some(format!("{} is {}", found.name, found.value))
        });
        found.collect::<Vec<_>>().join(", ")
    }
}

impl ArmRule {
    /// Its name within the experiment.
    pub(super) fn name(&self) -> &str {
        self.label
            .split_once('/')
            .map_or(&*self.label, |(_, name)| name)
    }
}

impl ExperimentRule {
    /// The arm of a unit in a segment, or in none.
    pub(super) fn arm(&self, segment: Option<&str>, unit_id: &str) -> Result<&ArmRule, NoArm<'_>> {
        if let Some(wanted) = self.segment.as_deref()
            && segment != Some(wanted)
        {
            return Err(NoArm::OtherSegment(wanted));
        }
        let bucket = self.bucket(unit_id).ok_or(NoArm::NoUnit)?;
        let run = self.ends.partition_point(|&(end, _)| end <= bucket);
        let arm = self.ends.get(run).and_then(|&(_, arm)| self.arms.get(arm?));
        arm.ok_or(NoArm::Bucket(bucket))
    }

    /// The bucket of a unit; none where there is no unit.
    pub(super) fn bucket(&self, unit_id: &str) -> Option<u32> {
        (!unit_id.is_empty()).then(|| bucket(&self.salt, unit_id))
    }
}

impl ExplorationRule {
    /// Whether requests of this arm, or of none, explore.
    pub(super) fn takes(&self, arm: Option<&str>) -> bool {
        self.arm.is_none() || self.arm.as_deref() == arm
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::AnyOf(values), _) => values.contains(value),
            (Self::Range { at_least, below }, Value::Number(number)) => {
                at_least.is_none_or(|end| *number >= end) && below.is_none_or(|end| *number < end)
            }
            (Self::Range { .. }, Value::Text(_)) => false,
        }
    }
}

/// Puts these weights in the place of those that are there.
pub(super) fn replace(weights: &mut [f64], replaced: &[(usize, f64)]) {
    for &(objective, weight) in replaced {
        if let Some(slot) = weights.get_mut(objective) {
            *slot = weight;
        }
    }
}

/// Makes the second weight −λ times the first.
pub(super) fn explore(weights: &mut [f64], lambda: f64) {
    if let [first, second, ..] = weights {
        *second = -lambda * *first + 0.0;
    }
}

fn ends(runs: &[(Option<usize>, u32)]) -> Vec<(u32, Option<usize>)> {
    let mut end = 0_u32;
    runs.iter()
        .map(|&(arm, count)| {
            end = end.saturating_add(count);
            (end, arm)
        })
        .collect()
}
