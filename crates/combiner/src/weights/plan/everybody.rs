//! What is checked of weights is checked of every set that some request can get: those of the profile, of its segments and arms, and at both ends
//! of exploration.

use counterweight_ranking::{BoundError, Weights, WeightsError, check_range, check_step};

use super::Planner;
use crate::{
    error::CombinerError,
    weights::{
        audience::{Combination, Rules},
        in_force::InForce,
        profile::ProfileState,
    },
};

impl Planner {
    /// Refuses a state in which the weights of some requests are all zero or, unless that is forced, out of bounds.
    ///
    /// With `current`, also where they move too far at once, against what a request of that segment and arm gets now; a segment or arm that is
    /// new counts as one that changed nothing.
    pub(super) fn check_everybody(
        &self,
        position: usize,
        state: &ProfileState,
        current: Option<&InForce>,
    ) -> Result<(), CombinerError> {
        let objectives: Vec<&str> = self.config.objective_names(position).collect();
        let bounds = &self.config.profiles[position].bounds;
        let rules = Rules::new(state, &objectives);
        let own: Vec<f64> = state.weights.iter().map(|set| set.weight).collect();
        for them in rules.combinations(&own) {
            let out_of_bounds = |error: BoundError| self.out_of_bounds_for(position, &them, error);
            for set in them.sets() {
                let set = self.ordering(position, &them, set)?;
                if !self.forced {
                    check_range(bounds, &set).map_err(out_of_bounds)?;
                }
            }
            if let Some(current) = current.filter(|_| !self.forced) {
                let before =
                    current
                        .rules
                        .combination(current.weights.as_slice(), them.segment, them.arm);
                check_step(bounds, &before.weights, &them.weights).map_err(out_of_bounds)?;
            }
        }
        Ok(())
    }

    /// Whether every request of a state has weights that order something.
    pub(super) fn orders_for_everybody(&self, position: usize, state: &ProfileState) -> bool {
        let forced = Self {
            forced: true,
            ..self.clone()
        };
        forced.check_everybody(position, state, None).is_ok()
    }

    fn ordering(
        &self,
        position: usize,
        them: &Combination<'_>,
        set: &[f64],
    ) -> Result<Weights, CombinerError> {
        Weights::new(set.to_vec()).map_err(|error| CombinerError::Rule {
            profile: self.config.profiles[position].name.clone(),
            rule: them.to_string(),
            problem: match error {
                WeightsError::AllZero => {
                    "the weights of its requests are all zero, which orders nothing; give one of its objectives a weight".to_owned()
                }
                WeightsError::NotFinite { weight, .. } => {
                    format!("a weight of its requests would be {weight}; take smaller numbers")
                }
            },
        })
    }

    fn out_of_bounds_for(
        &self,
        position: usize,
        them: &Combination<'_>,
        error: BoundError,
    ) -> CombinerError {
        let objective = self.config.objective_names(position).nth(error.objective());
        CombinerError::RuleOutOfBounds {
            profile: self.config.profiles[position].name.clone(),
            rule: them.to_string(),
            objective: objective.unwrap_or_default().to_owned(),
            error,
        }
    }
}
