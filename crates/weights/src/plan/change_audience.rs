//! Applies a requested change to a profile's segments, experiments and exploration.

use super::{
    audience::{AudienceChange, ExperimentChange},
    check_audience::AudienceValidator,
    planner::Context,
};
use crate::{
    audience::{Arm, Experiment, rearrange},
    error::PlanError,
    in_force::InForce,
    profile::ProfileState,
};

/// Replaces the parts that the change names.
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

/// The experiment with its table of buckets, as close as possible to its present table.
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
