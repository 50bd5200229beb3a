//! Solves for the weight of one objective that meets a goal on the recent requests, and previews
//! exactly that weight.

use counterweight_config::did_you_mean;
use counterweight_ranking::{
    RankingError,
    solve::{Goal, Solved, Solver},
};

use super::{
    Previewed,
    replay::{Replayable, columns},
};
use crate::{
    config::{Config, Profile},
    engine::Engine,
    error::RequestError,
    recent_requests::Recent,
    weights::{
        AudienceChange, Context, InForce, ObjectiveWeight, PlanError, ProfileAtRevision, ProfileChange,
    },
};

/// The position of the objective whose exposure is the gain.
const GAIN: usize = 0;

/// The question.
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

/// The weight, and its effect.
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
    context: Context,
    asked: Asked,
) -> Result<Answered, RequestError> {
    let swept = sought(&engine.config, &asked)?;
    let recent = engine.recent_requests()?;
    let place = recent.reserve_place()?;
    let configured = &engine.config.profiles[asked.profile];
    let in_force = engine.weights.in_force(asked.profile);
    let (config, solved_under) = (engine.config.clone(), in_force.clone());
    let bound = configured.bounds[swept];
    let work = move |recent: &[Recent]| {
        Replayable::new(&config, asked.profile, recent).map(|replayable| {
            let k = replayable.places(asked.k);
            let within = (bound.min, bound.max);
            let solved = replayable.solve(&solved_under, swept, k, asked.goal, within);
            (replayable, k, solved)
        })
    };
    let (replayable, k, solved) = recent.run(&place, work).await??;
    let name = |at: usize| engine.config.objective_names(asked.profile).nth(at);
    let objective = name(swept).unwrap_or_default().to_owned();
    let solved = solved.map_err(|error| RequestError::Unsolved {
        profile: configured.name.clone(),
        objective: objective.clone(),
        gain: name(GAIN).unwrap_or_default().to_owned(),
        error,
    })?;
    let change = change(configured, &objective, &solved, &in_force);
    let what_if = engine.weights.what_if(context, &change)?;
    // Preview on the same requests that the weight was solved on.
    let work = move |_: &[Recent]| replayable.preview(what_if, k);
    Ok(Answered {
        objective,
        solved,
        previewed: recent.run(&place, work).await??,
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
    fn solve(
        &self,
        in_force: &InForce,
        swept: usize,
        k: usize,
        goal: Goal,
        within: (f64, f64),
    ) -> Result<Solved, RankingError> {
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
            solver.push(&columns(record), &weights, free)?;
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
