//! What a change makes of a profile's segments, experiments and exploration.

use super::{Context, check_audience::AudienceValidator};
use crate::{
    audience::{Arm, Experiment, Exploration, Segment, rearrange},
    error::PlanError,
    in_force::InForce,
    profile::ProfileState,
};

/// What is to become of the audience of a profile; none leaves what is there.
#[derive(Debug, Clone, Default)]
pub struct AudienceChange {
    /// The segments, in the order in which they are tried.
    pub segments: Option<Vec<Segment>>,
    /// The experiments, in the order in which they are tried.
    pub experiments: Option<Vec<ExperimentChange>>,
    /// Whether and how λ is drawn; none within ends it.
    pub exploration: Option<Option<Exploration>>,
}

/// An experiment as a writer wants it.
#[derive(Debug, Clone)]
pub struct ExperimentChange {
    /// Name.
    pub name: String,
    /// None keeps the salt of an experiment that is there.
    pub salt: Option<String>,
    /// The salt of an experiment that is new.
    pub new_salt: String,
    /// Only requests of this segment; none takes all.
    pub segment: Option<String>,
    /// Each with how many buckets it has.
    pub arms: Vec<(Arm, u32)>,
}

/// What a segment may ask for, as far as the models have said.
#[derive(Debug, Clone, Default)]
pub struct KnownAttributes {
    /// Features of the context, those whose side is not said, and what the configuration adds.
    pub context: Vec<String>,
    /// Features of the candidates, which no segment can ask for.
    pub candidate: Vec<String>,
    /// Whether every model has said what it takes.
    pub complete: bool,
}

impl AudienceChange {
    /// Whether nothing is changed.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_none() && self.experiments.is_none() && self.exploration.is_none()
    }
}

/// Puts what is wanted in the place of what is there.
pub(super) fn change_audience(
    context: &Context,
    current: &InForce,
    wanted: &AudienceChange,
    state: &mut ProfileState,
) -> Result<(), PlanError> {
    let validator = AudienceValidator {
        profile: &current.profile,
        attributes: &context.attributes,
    };
    if let Some(segments) = &wanted.segments {
        validator.check_segments(segments)?;
        state.segments.clone_from(segments);
    }
    if let Some(experiments) = &wanted.experiments {
        validator.check_experiments(experiments)?;
        let arranged = experiments.iter();
        state.experiments = arranged
            .map(|wanted| arranged_over(&current.experiments, wanted))
            .collect();
    }
    if let Some(exploration) = &wanted.exploration {
        state.exploration.clone_from(exploration);
    }
    validator.check_references(state)
}

/// The experiment with its table, as near as possible to the one that it has.
fn arranged_over(current: &[Experiment], wanted: &ExperimentChange) -> Experiment {
    let arms: Vec<Arm> = wanted.arms.iter().map(|(arm, _)| arm.clone()).collect();
    let shares: Vec<u32> = wanted.arms.iter().map(|&(_, share)| share).collect();
    let before = current.iter().find(|before| before.name == wanted.name);
    let place = |arm: &Arm| {
        arms.iter()
            .position(|now| now.name == arm.name)
            .unwrap_or(usize::MAX)
    };
    let table: Vec<(Option<usize>, u32)> = before.map_or_else(Vec::new, |before| {
        let runs = before.buckets.iter();
        runs.map(|&(arm, count)| {
            (
                arm.map(|arm| before.arms.get(arm).map_or(usize::MAX, place)),
                count,
            )
        })
        .collect()
    });
    let kept = before.map(|before| &before.salt);
    Experiment {
        name: wanted.name.clone(),
        salt: wanted
            .salt
            .as_ref()
            .or(kept)
            .unwrap_or(&wanted.new_salt)
            .clone(),
        segment: wanted.segment.clone(),
        arms,
        buckets: rearrange(&table, &shares),
    }
}
