//! Checks every weight set that some request can get: those of the profile, of its segments and
//! arms, and at both ends of exploration.

use counterweight_ranking::{BoundError, Weights, WeightsError, check_range, check_step};

use crate::{
    audience::{Combination, Rules},
    config::Profile,
    error::PlanError,
    in_force::InForce,
    profile::ProfileState,
};

/// Refuses a state in which the weights of some requests are all zero or, unless that is `forced`,
/// out of bounds.
///
/// With `current`, also where they move too far at once, against what a request of that segment and
/// arm gets now; a segment or arm that is new counts as one that changed nothing.
pub(super) fn check_every_weight_set(
    profile: &Profile,
    state: &ProfileState,
    current: Option<&InForce>,
    forced: bool,
) -> Result<(), PlanError> {
    let objectives: Vec<&str> = profile.objective_names().collect();
    let rules = Rules::new(state, &objectives);
    let own: Vec<f64> = state.weights.iter().map(|set| set.weight).collect();
    for combination in rules.combinations(&own) {
        let out_of_bounds = |error| out_of_bounds(profile, &combination, error);
        for set in combination.sets() {
            let set = ordering(profile, &combination, set)?;
            if !forced {
                check_range(&profile.bounds, &set).map_err(out_of_bounds)?;
            }
        }
        if let Some(current) = current.filter(|_| !forced) {
            let before = current.rules.combination(
                current.weights.as_slice(),
                combination.segment,
                combination.arm,
            );
            check_step(&profile.bounds, &before.weights, &combination.weights)
                .map_err(out_of_bounds)?;
        }
    }
    Ok(())
}

/// Whether every request of a state has at least one finite weight that is not zero.
pub(super) fn orders_every_request(profile: &Profile, state: &ProfileState) -> bool {
    check_every_weight_set(profile, state, None, true).is_ok()
}

fn ordering(
    profile: &Profile,
    combination: &Combination<'_>,
    set: &[f64],
) -> Result<Weights, PlanError> {
    Weights::new(set.to_vec()).map_err(|error| PlanError::Rule {
        profile: profile.name.clone(),
        rule: combination.to_string(),
        problem: match error {
            WeightsError::AllZero => {
                "the weights of its requests are all zero, so no order is defined; give one of its objectives a weight".to_owned()
            }
            WeightsError::NotFinite { weight, .. } => {
                format!("a weight of its requests would be {weight}; take smaller numbers")
            }
        },
    })
}

fn out_of_bounds(profile: &Profile, combination: &Combination<'_>, error: BoundError) -> PlanError {
    let objective = profile.objective_names().nth(error.objective());
    PlanError::RuleOutOfBounds {
        profile: profile.name.clone(),
        rule: combination.to_string(),
        objective: objective.unwrap_or_default().to_owned(),
        error,
    }
}
