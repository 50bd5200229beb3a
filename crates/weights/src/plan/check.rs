//! Checks that the weights of one profile belong to its objectives and lie within its bounds.

use counterweight_config::did_you_mean;
use counterweight_ranking::{BoundError, Weights, WeightsError};

use crate::{config::Profile, error::PlanError, in_force::InForce, weight::ObjectiveWeight};

/// The current weights of a profile, with the requested ones replaced.
pub(super) fn merged(current: &InForce, wanted: &[ObjectiveWeight]) -> Result<Weights, PlanError> {
    let profile = &*current.profile;
    let objectives: Vec<&str> = profile.objective_names().collect();
    if wanted.is_empty() {
        return Err(refused(
            profile,
            &objectives.join(", "),
            "no weight is sent; send at least one".to_owned(),
        ));
    }
    let mut weights = current.weights.as_slice().to_vec();
    let mut set = vec![false; weights.len()];
    for wanted in wanted {
        let position = objective(profile, &wanted.objective)?;
        if std::mem::replace(&mut set[position], true) {
            return Err(refused(
                profile,
                &wanted.objective,
                "is sent twice; send each objective once".to_owned(),
            ));
        }
        weights[position] = wanted.weight;
    }
    Weights::new(weights).map_err(|error| match error {
        WeightsError::NotFinite { objective, weight } => refused(
            profile,
            objectives[objective],
            format!("the weight is {weight}; send a finite number"),
        ),
        WeightsError::AllZero => refused(profile, &objectives.join(", "), error.to_string()),
    })
}

/// The position within a profile of the objective of that name.
pub(super) fn objective(profile: &Profile, name: &str) -> Result<usize, PlanError> {
    let names = || profile.objective_names();
    names()
        .position(|known| known == name)
        .ok_or_else(|| PlanError::UnknownObjective {
            profile: profile.name.clone(),
            objective: name.to_owned(),
            suggestion: did_you_mean(name, names()),
            known: names().collect::<Vec<_>>().join(", "),
        })
}

/// Checks that the weights lie within their bounds.
pub(super) fn check_range(profile: &Profile, weights: &Weights) -> Result<(), PlanError> {
    counterweight_ranking::check_range(&profile.bounds, weights)
        .map_err(|error| out_of_bounds(profile, error))
}

/// Checks that no weight moves further than its largest step.
pub(super) fn check_step(profile: &Profile, from: &Weights, to: &Weights) -> Result<(), PlanError> {
    counterweight_ranking::check_step(&profile.bounds, from.as_slice(), to.as_slice())
        .map_err(|error| out_of_bounds(profile, error))
}

fn out_of_bounds(profile: &Profile, error: BoundError) -> PlanError {
    let objective = profile.objective_names().nth(error.objective());
    PlanError::OutOfBounds {
        profile: profile.name.clone(),
        objective: objective.unwrap_or_default().to_owned(),
        error,
    }
}

fn refused(profile: &Profile, objective: &str, problem: String) -> PlanError {
    PlanError::Weight {
        profile: profile.name.clone(),
        objective: objective.to_owned(),
        problem,
    }
}
