//! Solves for the weight of one objective that meets a goal on the recent requests, and previews
//! exactly that weight.

use std::sync::Arc;

use counterweight_config::did_you_mean;
use counterweight_ranking::{
    MAX_WEIGHT, RankingError,
    solve::{Goal, Solved, Solver},
};

use counterweight_serving::Call;

use super::{
    Previewed, failed,
    replay::{Replayable, columns},
};
use crate::{
    config::{Config, Profile},
    engine::Engine,
    error::RequestError,
    weights::{
        AudienceChange, Context, InForce, ObjectiveWeight, PlanError, ProfileAtRevision,
        ProfileChange,
    },
};

/// The position of the objective whose exposure is the gain.
const GAIN: usize = 0;

/// The most work of one solution, in operations: about a minute of one core at the very worst.
/// Usually few of the candidates ever reach the page, and it takes a small part of that.
const MOST_WORK: usize = 100_000_000_000;

/// What to solve for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The profile's position in the configuration.
    pub(crate) profile: usize,
    pub(crate) goal: Goal,
    /// The objective whose weight is sought; empty means the second.
    pub(crate) objective: String,
    /// Places of the page; 0 takes the k of most requests.
    pub(crate) k: usize,
}

/// What is computed, on the recent requests.
struct Question {
    in_force: Arc<InForce>,
    swept: usize,
    k: usize,
    goal: Goal,
    /// The least and the most weight.
    within: (f64, f64),
}

/// The weight, and what it would do.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) objective: String,
    pub(crate) solved: Solved,
    pub(crate) previewed: Previewed,
}

/// Solves for a weight within the profile's bounds.
///
/// # Errors
/// [`RequestError::Unsolved`] says what can be reached.
pub(crate) async fn solve(
    engine: &Engine,
    call: &Call,
    context: Context,
    asked: Asked,
) -> Result<Answered, RequestError> {
    let swept = sought(&engine.config, &asked)?;
    let _place = engine.recent_requests()?.reserve_preview()?;
    let configured = &engine.config.profiles[asked.profile];
    // One snapshot from here to the answer, whatever is set meanwhile.
    let in_force = engine.weights.logged(asked.profile);
    let replayable = Replayable::select(engine, asked.profile).await?;
    let k = replayable.places(asked.k);
    replayable.check_work(k)?;
    let bound = configured.bounds[swept];
    let question = Question {
        in_force: in_force.clone(),
        swept,
        k,
        goal: asked.goal,
        within: (bound.min.max(-MAX_WEIGHT), bound.max.min(MAX_WEIGHT)),
    };
    let work = move |stop: &dyn Fn() -> bool| {
        let solved = replayable.solve(&question, stop);
        (replayable, solved)
    };
    let (replayable, solved) = engine.previews.run(call, work).await?;
    let name = |at: usize| engine.config.objective_names(asked.profile).nth(at);
    let objective = name(swept).unwrap_or_default().to_owned();
    let solved = solved.map_err(|error| match error {
        RankingError::Stopped => failed(error),
        error => RequestError::Unsolved {
            profile: configured.name.clone(),
            objective: objective.clone(),
            gain: name(GAIN).unwrap_or_default().to_owned(),
            error,
        },
    })?;
    let change = change(configured, &objective, &solved, &in_force);
    let what_if = engine.weights.what_if(context, &change, in_force)?;
    // On the very requests that it was solved on.
    let work = move |stop: &dyn Fn() -> bool| replayable.preview(what_if, k, stop);
    Ok(Answered {
        objective,
        solved,
        previewed: engine.previews.run(call, work).await??,
    })
}

/// The position within the profile of the objective whose weight is sought.
fn sought(config: &Config, asked: &Asked) -> Result<usize, RequestError> {
    let names: Vec<&str> = config.objective_names(asked.profile).collect();
    let refused = |problem: String| RequestError::Field {
        field: "objective",
        problem,
    };
    let profile = &config.profiles[asked.profile].name;
    match asked.objective.as_str() {
        "" if names.len() < 2 => Err(refused(format!(
            "profile {profile:?} has one objective; solving needs a second one, whose weight is changed against the first"
        ))),
        "" => Ok(1),
        name if names.first() == Some(&name) => Err(refused(format!(
            "{name:?} is the first objective of profile {profile:?}, whose exposure is the gain; name another one"
        ))),
        name => names
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| {
                PlanError::UnknownObjective {
                    profile: profile.clone(),
                    objective: name.to_owned(),
                    suggestion: did_you_mean(name, names.iter().copied()),
                    known: names.join(", "),
                }
                .into()
            }),
    }
}

impl Replayable {
    /// Refuses a question that is too much work. A request that has more candidates than the page
    /// has places costs up to places² × candidates operations; any other costs next to nothing.
    fn check_work(&self, k: usize) -> Result<(), RequestError> {
        let sizes = self.records.iter().map(|record| record.ids.len());
        let candidates: usize = sizes.filter(|&candidates| candidates > k).sum();
        let work = k.saturating_mul(k).saturating_mul(candidates);
        if work <= MOST_WORK {
            return Ok(());
        }
        Err(RequestError::Field {
            field: "k",
            problem: format!(
                "is too much work: {k} places of {candidates} candidates in the recent requests. \
                 Ask for fewer places, so that places² × candidates is at most {MOST_WORK}"
            ),
        })
    }

    fn solve(&self, question: &Question, stop: &dyn Fn() -> bool) -> Result<Solved, RankingError> {
        let Question {
            ref in_force,
            swept,
            k,
            goal,
            within,
        } = *question;
        let own = in_force.weights.as_slice().to_vec();
        let mut other = own.clone();
        other[swept] = f64::from(own[swept] == 0.0);
        let mut solver = Solver::new(k, own.len(), swept, GAIN)?;
        for record in &self.records {
            let choose = |own: &[f64]| in_force.choose_over(own, record.context()).weights;
            let weights = choose(&own);
            // The weight is free where the profile's own weight applies: no segment, arm or draw
            // replaces it.
            let free = choose(&other)[swept] != weights[swept];
            if stop() {
                return Err(RankingError::Stopped);
            }
            solver.push_until(&columns(record), &weights, free, stop)?;
        }
        solver.solve(goal, within)
    }
}

/// The change that sets the weight, for the revision that it was solved under.
fn change(
    profile: &Profile,
    objective: &str,
    solved: &Solved,
    in_force: &InForce,
) -> ProfileChange {
    ProfileChange {
        at: ProfileAtRevision {
            profile: profile.name.clone(),
            expected_revision: Some(in_force.revision),
        },
        weights: vec![ObjectiveWeight {
            objective: objective.to_owned(),
            weight: solved.weight,
        }],
        bindings: Vec::new(),
        confirm_models: false,
        audience: AudienceChange::default(),
    }
}
