//! What a change makes of the log's state: every check of a write that needs to know what is there.

mod audience;
mod binding;
mod check_audience;
mod everybody;
mod kill;
mod ramp;
mod rollback;
mod set;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use counterweight_config::did_you_mean;
use counterweight_ranking::{BoundError, Weights, WeightsError, check_range, check_step};

pub(crate) use self::{
    audience::{AudienceChange, ExperimentChange, KnownAttributes},
    binding::Served,
    ramp::{RampPlan, due, next_due_ms},
    rollback::Restored,
    set::ProfileChange,
};
use super::{
    in_force::InForce,
    log_state::LogState,
    profile::{ObjectiveWeight, ProfileState},
};
use crate::{config::Config, error::CombinerError};

/// A profile, and the revision of it that the caller saw.
#[derive(Debug, Clone)]
pub(crate) struct ProfileAt {
    /// Empty means "default".
    pub(crate) profile: String,
    pub(crate) expected_revision: Option<u64>,
}

/// What changes are planned by.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(crate) config: Arc<Config>,
    /// What each objective is served by, in the order of the configuration; none when that is not known.
    pub(crate) served: Vec<Option<Served>>,
    /// What segments may ask for.
    pub(crate) attributes: KnownAttributes,
    /// Whether bounds are passed.
    pub(crate) forced: bool,
}

impl Planner {
    /// The position and state of a profile, if it still is at the revision that the caller saw and not done before.
    fn current(
        &self,
        log: &LogState,
        at: &ProfileAt,
        done: &[ProfileState],
    ) -> Result<(usize, InForce), CombinerError> {
        let position = self.config.profile(&at.profile)?;
        let name = &self.config.profiles[position].name;
        if done.iter().any(|done| done.profile == *name) {
            return Err(CombinerError::DuplicateProfile {
                profile: name.clone(),
            });
        }
        let current = InForce::new(&self.config, position, log.profile(name))?;
        match at.expected_revision {
            Some(revision) if revision > log.last => Err(CombinerError::FutureRevision {
                field: "expected_revision",
                revision,
                last: log.last,
            }),
            Some(expected) if expected != current.revision => Err(CombinerError::Lost {
                profile: name.clone(),
                expected,
                current: current.revision,
            }),
            _ => Ok((position, current)),
        }
    }

    /// The current weights of a profile with the wanted ones in their place.
    fn merged(
        &self,
        profile: usize,
        current: &InForce,
        wanted: &[ObjectiveWeight],
    ) -> Result<Weights, CombinerError> {
        let refused = |objective: &str, problem: String| self.refused(profile, objective, problem);
        let objectives: Vec<&str> = self.config.objective_names(profile).collect();
        if wanted.is_empty() {
            return Err(refused(
                &objectives.join(", "),
                "no weight is sent; send at least one".to_owned(),
            ));
        }
        let mut weights = current.weights.as_slice().to_vec();
        let mut set = vec![false; weights.len()];
        for wanted in wanted {
            let at = self.objective(profile, &wanted.objective)?;
            if std::mem::replace(&mut set[at], true) {
                return Err(refused(
                    &wanted.objective,
                    "is sent twice; send each objective once".to_owned(),
                ));
            }
            weights[at] = wanted.weight;
        }
        Weights::new(weights).map_err(|error| match error {
            WeightsError::NotFinite { objective, weight } => refused(
                objectives[objective],
                format!("the weight is {weight}; send a finite number"),
            ),
            WeightsError::AllZero => refused(&objectives.join(", "), error.to_string()),
        })
    }

    /// The position within a profile of the objective of that name.
    fn objective(&self, profile: usize, name: &str) -> Result<usize, CombinerError> {
        let objectives: Vec<&str> = self.config.objective_names(profile).collect();
        objectives
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| CombinerError::UnknownObjective {
                profile: self.config.profiles[profile].name.clone(),
                objective: name.to_owned(),
                suggestion: did_you_mean(name, objectives.iter().copied()),
                known: objectives.join(", "),
            })
    }

    /// Checks where the weights lie, unless that is forced.
    fn check_range(&self, profile: usize, weights: &Weights) -> Result<(), CombinerError> {
        if self.forced {
            return Ok(());
        }
        check_range(&self.config.profiles[profile].bounds, weights)
            .map_err(|error| self.out_of_bounds(profile, error))
    }

    /// Checks how far the weights move at once, unless that is forced.
    fn check_step(
        &self,
        profile: usize,
        from: &Weights,
        to: &Weights,
    ) -> Result<(), CombinerError> {
        if self.forced {
            return Ok(());
        }
        let bounds = &self.config.profiles[profile].bounds;
        check_step(bounds, from.as_slice(), to.as_slice())
            .map_err(|error| self.out_of_bounds(profile, error))
    }

    fn out_of_bounds(&self, profile: usize, error: BoundError) -> CombinerError {
        let objective = self.config.objective_names(profile).nth(error.objective());
        CombinerError::OutOfBounds {
            profile: self.config.profiles[profile].name.clone(),
            objective: objective.unwrap_or_default().to_owned(),
            error,
        }
    }

    fn refused(&self, profile: usize, objective: &str, problem: String) -> CombinerError {
        CombinerError::Weight {
            profile: self.config.profiles[profile].name.clone(),
            objective: objective.to_owned(),
            problem,
        }
    }
}
