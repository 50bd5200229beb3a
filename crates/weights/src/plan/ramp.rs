//! Ramps: starting and stopping them, and the step that is due.
//!
//! The log has everything that the steps of a ramp need, so any combiner may append the step that
//! is due, and compare-and-set lets one win. The clock is that of the combiner that appends:
//!
//! - Step s of S is due at `started + duration · s / S`.
//! - After missed steps the weights jump to the furthest step that is due and within the largest
//!   step of every weight, and at least one step on. The rest follows at once in the same way.
//! - When the clock jumps back, no step is taken back: the ramp waits until the next step is due.

use counterweight_ranking::{MAX_STEPS, Ramp as RampPath, RampError, Weights, check_step};

use super::{
    binding::bind,
    check::{check_range, merged},
    every_set::{check_every_weight_set, orders_every_request},
    planner::{Planner, ProfileAtRevision},
};
use crate::{
    entry::Change,
    error::PlanError,
    in_force::{InForce, named},
    log_state::LogState,
    profile::{Action, ProfileState, Ramp},
    weight::ObjectiveWeight,
};

/// How many steps a ramp has when the writer does not say and the bounds demand no more.
const USUAL_STEPS: u32 = 20;

/// A ramp to start.
#[derive(Debug, Clone)]
pub struct RampPlan {
    /// The profile.
    pub at: ProfileAtRevision,
    /// The objectives that move.
    pub target: Vec<ObjectiveWeight>,
    /// In milliseconds, above 0.
    pub duration_ms: u64,
    /// 0 means the usual number, or more where the bounds demand it.
    pub steps: u32,
    /// Milliseconds since 1970, by this server's clock.
    pub started_ms: u64,
    /// Who starts it: the author of every step.
    pub author: String,
    /// Why: the reason of every step.
    pub reason: String,
}

/// As [`Planner::start_ramp`].
pub(super) fn start(
    planner: &Planner,
    log: &LogState,
    plan: &RampPlan,
) -> Result<Change, PlanError> {
    let forced = planner.context.forced;
    let current = planner.current(log, &plan.at, &[])?;
    let profile = &*current.profile;
    let refused = |error| PlanError::Ramp {
        profile: profile.name.clone(),
        error,
    };
    let target = merged(&current, &plan.target)?;
    if !forced {
        check_range(profile, &target)?;
    }
    let base_rates: Vec<f64> = profile
        .objectives
        .iter()
        .map(|objective| objective.base_rate)
        .collect();
    let path = RampPath::new(&current.weights, &target, &base_rates).map_err(refused)?;
    let steps = match plan.steps {
        steps if steps > MAX_STEPS => return Err(refused(RampError::Steps { steps })),
        0 if forced => USUAL_STEPS,
        0 => path
            .sufficient_steps(&profile.bounds)
            .map_err(refused)?
            .max(USUAL_STEPS),
        steps if forced => steps,
        steps => {
            path.check_steps(&profile.bounds, steps).map_err(refused)?;
            steps
        }
    };
    let from = named(profile, current.weights.as_slice());
    let to = named(profile, target.as_slice());
    let there = ProfileState {
        weights: to.clone(),
        ..current.state()
    };
    check_every_weight_set(profile, &there, None, forced)?;
    Ok(Change {
        action: Action::RampStarted,
        forced,
        profiles: vec![ProfileState {
            weights: from.clone(),
            bindings: bind(&planner.context, &current, &[])?,
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
            ..current.state()
        }],
    })
}

/// As [`Planner::stop_ramp`].
pub(super) fn stop(planner: &Planner, log: &LogState, at: &ProfileAtRevision) -> Result<Change, PlanError> {
    let current = planner.current(log, at, &[])?;
    if current.ramp.is_none() {
        return Err(PlanError::NoRamp {
            profile: current.profile.name.clone(),
        });
    }
    Ok(stopped(&current))
}

fn stopped(current: &InForce) -> Change {
    Change {
        action: Action::RampStopped,
        forced: false,
        profiles: vec![ProfileState {
            ramp: None,
            ..current.state()
        }],
    }
}

/// As [`Planner::ramp_step`].
pub(super) fn step(
    planner: &Planner,
    log: &LogState,
    profile: usize,
    now_ms: u64,
) -> Result<Option<Change>, PlanError> {
    let profile = &planner.config.profiles[profile];
    let current = planner.known(log, profile)?;
    let Some(ramp) = &current.ramp else {
        return Ok(None);
    };
    let due = due(ramp, now_ms);
    if due <= ramp.step {
        return Ok(None);
    }
    // The configuration may have changed since the ramp began.
    let Some(path) = path_over_configured_objectives(&current, ramp) else {
        tracing::error!(
            profile = profile.name,
            "the ramp in the log has no path over the configured objectives and is stopped"
        );
        return Ok(Some(stopped(&current)));
    };
    let here = current.weights.as_slice();
    let reached = |step: u32| ProfileState {
        weights: named(profile, &path.weights_at(step, ramp.steps)),
        ramp: (step < ramp.steps).then(|| Ramp {
            step,
            ..ramp.clone()
        }),
        ..current.state()
    };
    let orders = |step: &u32| orders_every_request(profile, &reached(*step));
    let within =
        |step: &u32| check_step(&profile.bounds, here, &path.weights_at(*step, ramp.steps)).is_ok();
    // Skip missed steps as far as the largest step allows, but take at least one of them, so that
    // the ramp goes on where even a single step exceeds it.
    let step = (ramp.step + 2..=due)
        .rev()
        .filter(within)
        .find(orders)
        // A step that would leave a segment or arm without any weight is left out; the target does
        // not.
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

/// The path of a ramp over the objectives that are configured now. The weight of an objective that
/// the ramp does not name stays constant. None when no path remains.
fn path_over_configured_objectives(current: &InForce, ramp: &Ramp) -> Option<RampPath> {
    let names = || current.profile.objective_names();
    let end = |end: &[ObjectiveWeight]| {
        let weights = names()
            .zip(current.weights.as_slice())
            .map(|(name, &here)| {
                let known = end.iter().find(|weight| weight.objective == name);
                known.map_or(here, |known| known.weight)
            })
            .collect();
        Weights::new(weights).ok()
    };
    let base_rates: Vec<f64> = names()
        .map(|name| {
            let at = ramp.from.iter().position(|from| from.objective == name);
            at.and_then(|at| ramp.base_rates.get(at).copied())
                .unwrap_or(1.0)
        })
        .collect();
    RampPath::new(&end(&ramp.from)?, &end(&ramp.to)?, &base_rates).ok()
}

/// The last step that is due at `now_ms`.
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
