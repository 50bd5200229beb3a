//! What a change makes of a profile's segments, experiments and exploration.

use super::{Planner, check_audience::Of};
use crate::{
    error::CombinerError,
    weights::{
        audience::{Arm, Experiment, Exploration, Segment, rearrange},
        in_force::InForce,
        profile::ProfileState,
    },
};

/// What is to become of the audience of a profile; none leaves what is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct AudienceChange {
    pub(crate) segments: Option<Vec<Segment>>,
    pub(crate) experiments: Option<Vec<ExperimentChange>>,
    /// None within ends it.
    pub(crate) exploration: Option<Option<Exploration>>,
}

/// An experiment as a writer wants it.
#[derive(Debug, Clone)]
pub(crate) struct ExperimentChange {
    pub(crate) name: String,
    /// None keeps the salt of an experiment that is there.
    pub(crate) salt: Option<String>,
    /// The salt of an experiment that is new.
    pub(crate) new_salt: String,
    pub(crate) segment: Option<String>,
    /// Each with how many buckets it has.
    pub(crate) arms: Vec<(Arm, u32)>,
}

/// What a segment may ask for, as far as the models have said.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownAttributes {
    /// Features of the context, those whose side is not said, and what the configuration adds.
    pub(crate) context: Vec<String>,
    pub(crate) candidate: Vec<String>,
    /// Whether every model has said what it takes.
    pub(crate) complete: bool,
}

impl AudienceChange {
    /// Whether nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_none() && self.experiments.is_none() && self.exploration.is_none()
    }
}

impl Planner {
    /// Puts what is wanted in the place of what is there.
    pub(super) fn change_audience(
        &self,
        position: usize,
        current: &InForce,
        wanted: &AudienceChange,
        state: &mut ProfileState,
    ) -> Result<(), CombinerError> {
        let of = Of {
            planner: self,
            position,
        };
        if let Some(segments) = &wanted.segments {
            of.check_segments(segments)?;
            state.segments.clone_from(segments);
        }
        if let Some(experiments) = &wanted.experiments {
            of.check_experiments(experiments)?;
            let arranged = experiments.iter();
            state.experiments = arranged
                .map(|wanted| arranged_over(&current.experiments, wanted))
                .collect();
        }
        if let Some(exploration) = &wanted.exploration {
            state.exploration.clone_from(exploration);
        }
        of.check_references(state)
    }
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
