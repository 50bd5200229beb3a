//! Ramps: starting and stopping them, and the step that is due.
//!
//! A ramp is in the log with everything that its steps need, so any combiner may append the step that is due, and
//! compare-and-set lets one win. The rules of the clock, which is that of the combiner that appends:
//!
//! - Step s of S is due at `started + duration · s / S`.
//! - Where steps were missed, the weights go at once to the furthest step that is due and keeps to the largest step of
//!   every weight, at least one step on; the rest follows at once in the same way.
//! - A clock that jumps back takes no step back: the ramp waits until the next step is due by that clock.

use counterweight_ranking::{MAX_STEPS, Ramp as Path, RampError, Weights, check_step};

use super::{Planner, ProfileAt};
use crate::{
    error::CombinerError,
    weights::{
        entry::Change,
        in_force::{InForce, named},
        log_state::LogState,
        profile::{Action, ObjectiveWeight, ProfileState, Ramp},
    },
};

/// How many steps a ramp has when the writer does not say and the bounds demand no more.
const USUAL_STEPS: u32 = 20;

/// A ramp that somebody wants.
#[derive(Debug, Clone)]
pub(crate) struct RampPlan {
    pub(crate) at: ProfileAt,
    /// The objectives that move.
    pub(crate) target: Vec<ObjectiveWeight>,
    /// Above 0.
    pub(crate) duration_ms: u64,
    /// 0 takes as many as are usual or needed.
    pub(crate) steps: u32,
    pub(crate) started_ms: u64,
    pub(crate) author: String,
    pub(crate) reason: String,
}

impl Planner {
    /// Starts a ramp from where the weights are; one that runs there is replaced.
    pub(crate) fn start_ramp(
        &self,
        log: &LogState,
        plan: &RampPlan,
    ) -> Result<Change, CombinerError> {
        let (position, current) = self.current(log, &plan.at, &[])?;
        let profile = &self.config.profiles[position];
        let refused = |error| CombinerError::Ramp {
            profile: profile.name.clone(),
            error,
        };
        let target = self.merged(position, &current, &plan.target)?;
        self.check_range(position, &target)?;
        let base_rates: Vec<f64> = profile
            .objectives
            .iter()
            .map(|&objective| self.config.objectives[objective].base_rate)
            .collect();
        let path = Path::new(&current.weights, &target, &base_rates).map_err(refused)?;
        let steps = match plan.steps {
            steps if steps > MAX_STEPS => return Err(refused(RampError::Steps { steps })),
            0 if self.forced => USUAL_STEPS,
            0 => path
                .sufficient_steps(&profile.bounds)
                .map_err(refused)?
                .max(USUAL_STEPS),
            steps if self.forced => steps,
            steps => {
                path.check_steps(&profile.bounds, steps).map_err(refused)?;
                steps
            }
        };
        let from = named(&self.config, position, current.weights.as_slice());
        let to = named(&self.config, position, target.as_slice());
        let there = ProfileState {
            weights: to.clone(),
            ..current.state(&self.config, position)
        };
        self.check_everybody(position, &there, None)?;
        Ok(Change {
            action: Action::RampStarted,
            forced: self.forced,
            profiles: vec![ProfileState {
                weights: from.clone(),
                binding: self.bound(position, &current, &[])?,
                ramp: Some(Ramp {
                    from,
                    to,
                    base_rates,
                    step: 0,
                    steps,
                    started_ms: plan.started_ms,
                    duration_ms: plan.duration_ms,
                    author: plan.author.clone(),
                    reason: plan.reason.clone(),
                }),
                ..current.state(&self.config, position)
            }],
        })
    }

    /// Stops the ramp of a profile where it is.
    pub(crate) fn stop_ramp(
        &self,
        log: &LogState,
        at: &ProfileAt,
    ) -> Result<Change, CombinerError> {
        let (position, current) = self.current(log, at, &[])?;
        if current.ramp.is_none() {
            return Err(CombinerError::NoRamp {
                profile: self.config.profiles[position].name.clone(),
            });
        }
        Ok(self.stopped(position, &current))
    }

    fn stopped(&self, position: usize, current: &InForce) -> Change {
        Change {
            action: Action::RampStopped,
            forced: false,
            profiles: vec![ProfileState {
                ramp: None,
                ..current.state(&self.config, position)
            }],
        }
    }

    /// The step of a profile's ramp that is due at `now_ms`; none when there is none.
    pub(crate) fn step(
        &self,
        log: &LogState,
        position: usize,
        now_ms: u64,
    ) -> Result<Option<Change>, CombinerError> {
        let profile = &self.config.profiles[position];
        let current = InForce::new(&self.config, position, log.profile(&profile.name))?;
        let Some(ramp) = &current.ramp else {
            return Ok(None);
        };
        let due = due(ramp, now_ms);
        if due <= ramp.step {
            return Ok(None);
        }
        let Some(way) = self.way(position, &current, ramp) else {
            tracing::error!(
                profile = profile.name,
                "the ramp in the log leads nowhere with the configured objectives, and is stopped"
            );
            return Ok(Some(self.stopped(position, &current)));
        };
        let here = current.weights.as_slice();
        let reached = |step: u32| ProfileState {
            weights: named(&self.config, position, &way.at(step, ramp.steps)),
            ramp: (step < ramp.steps).then(|| Ramp {
                step,
                ..ramp.clone()
            }),
            ..current.state(&self.config, position)
        };
        let orders = |step: &u32| self.orders_for_everybody(position, &reached(*step));
        let step = (ramp.step + 2..=due)
            .rev()
            .filter(|&step| check_step(&profile.bounds, here, &way.at(step, ramp.steps)).is_ok())
            .find(orders)
            // A step that would leave a segment or arm without any weight is left out; the target does not.
            .or_else(|| (ramp.step + 1..=due).find(orders));
        let Some(step) = step else {
            return Ok(None);
        };
        Ok(Some(Change {
            action: Action::RampStep {
                step,
                steps: ramp.steps,
            },
            forced: false,
            profiles: vec![reached(step)],
        }))
    }

    /// The way of a ramp over the objectives that are configured now: one that the ramp does not know stays where it is.
    fn way(&self, position: usize, current: &InForce, ramp: &Ramp) -> Option<Path> {
        let side = |side: &[ObjectiveWeight]| {
            let weights = self
                .config
                .objective_names(position)
                .zip(current.weights.as_slice())
                .map(|(name, &here)| {
                    let known = side.iter().find(|weight| weight.objective == name);
                    known.map_or(here, |known| known.weight)
                })
                .collect();
            Weights::new(weights).ok()
        };
        let base_rates: Vec<f64> = self
            .config
            .objective_names(position)
            .map(|name| {
                let at = ramp.from.iter().position(|from| from.objective == name);
                at.and_then(|at| ramp.base_rates.get(at).copied())
                    .unwrap_or(1.0)
            })
            .collect();
        Path::new(&side(&ramp.from)?, &side(&ramp.to)?, &base_rates).ok()
    }
}

/// The last step that is due at `now_ms`, by whatever clock that is.
pub(crate) fn due(ramp: &Ramp, now_ms: u64) -> u32 {
    let elapsed = u128::from(now_ms.saturating_sub(ramp.started_ms));
    let step = elapsed * u128::from(ramp.steps) / u128::from(ramp.duration_ms.max(1));
    u32::try_from(step).unwrap_or(u32::MAX).min(ramp.steps)
}

/// When the step after the present one is due, in milliseconds since 1970.
pub(crate) fn next_due_ms(ramp: &Ramp) -> u64 {
    let share = u128::from(ramp.duration_ms) * (u128::from(ramp.step) + 1);
    let after = share.div_ceil(u128::from(ramp.steps.max(1)));
    ramp.started_ms
        .saturating_add(u64::try_from(after).unwrap_or(u64::MAX))
}
