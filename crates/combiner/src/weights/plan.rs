//! What a change makes of the log's state: every check of a write that needs to know what is there.

use counterweight_config::did_you_mean;
use counterweight_ranking::{Weights, WeightsError};

use super::{
    entry::Change,
    in_force::{InForce, named},
    log_state::LogState,
    profile::{Action, ObjectiveWeight, ProfileState},
};
use crate::{config::Config, error::CombinerError};

/// The objectives of a profile that get a new weight.
#[derive(Debug, Clone)]
pub(crate) struct ProfileChange {
    pub(crate) profile: String,
    pub(crate) weights: Vec<ObjectiveWeight>,
    /// The revision of the profile that the caller saw.
    pub(crate) expected_revision: Option<u64>,
}

/// Replaces the weights of some profiles.
pub(crate) fn set(
    config: &Config,
    log: &LogState,
    changes: &[ProfileChange],
) -> Result<Change, CombinerError> {
    let mut profiles: Vec<ProfileState> = Vec::with_capacity(changes.len());
    for change in changes {
        let position = config.profile(&change.profile)?;
        let name = &config.profiles[position].name;
        if profiles.iter().any(|done| done.profile == *name) {
            return Err(CombinerError::DuplicateProfile {
                profile: name.clone(),
            });
        }
        let current = InForce::new(config, position, log)?;
        check_expected(name, log.last, current.revision, change.expected_revision)?;
        let weights = merged(config, position, &current, &change.weights)?;
        profiles.push(ProfileState {
            weights: named(config, position, weights.as_slice()),
            ramp: None,
            ..current.state(config, position)
        });
    }
    Ok(Change {
        action: Action::Set,
        forced: false,
        profiles,
    })
}

fn check_expected(
    profile: &str,
    last: u64,
    current: u64,
    expected: Option<u64>,
) -> Result<(), CombinerError> {
    match expected {
        Some(revision) if revision > last => Err(CombinerError::FutureRevision {
            field: "expected_revision",
            revision,
            last,
        }),
        Some(expected) if expected != current => Err(CombinerError::Lost {
            profile: profile.to_owned(),
            expected,
            current,
        }),
        _ => Ok(()),
    }
}

/// The current weights of a profile with the wanted ones in their place.
fn merged(
    config: &Config,
    profile: usize,
    current: &InForce,
    wanted: &[ObjectiveWeight],
) -> Result<Weights, CombinerError> {
    let name = || config.profiles[profile].name.clone();
    let objectives: Vec<&str> = config.objective_names(profile).collect();
    let refused = |objective: &str, problem: String| CombinerError::Weight {
        profile: name(),
        objective: objective.to_owned(),
        problem,
    };
    let mut weights = current.weights.as_slice().to_vec();
    let mut set = vec![false; weights.len()];
    for wanted in wanted {
        let at = objectives
            .iter()
            .position(|known| *known == wanted.objective)
            .ok_or_else(|| CombinerError::UnknownObjective {
                profile: name(),
                objective: wanted.objective.clone(),
                suggestion: did_you_mean(&wanted.objective, objectives.iter().copied()),
                known: objectives.join(", "),
            })?;
        if std::mem::replace(&mut set[at], true) {
            return Err(refused(
                &wanted.objective,
                "is sent twice; send each objective once".to_owned(),
            ));
        }
        weights[at] = wanted.weight;
    }
    if wanted.is_empty() {
        return Err(refused(
            &objectives.join(", "),
            "no weight is sent; send at least one".to_owned(),
        ));
    }
    Weights::new(weights).map_err(|error| match error {
        WeightsError::NotFinite { objective, weight } => refused(
            objectives[objective],
            format!("the weight is {weight}; send a finite number"),
        ),
        WeightsError::AllZero => refused(&objectives.join(", "), error.to_string()),
    })
}
