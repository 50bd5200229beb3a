//! A recommendation: chosen on the tune part by a stated rule, shown on the test part, bound to the
//! models it was made for; or the reason why none can be recommended.

use counterweight_impressions::{Log, Objective, Part, Parts};
use counterweight_ranking::{
    shortest,
    solve::{Goal, MIN_WIDTH},
    sweep::{Replicates, Sweep},
};
use counterweight_statistics::{deviation, normal_quantile};
use serde::Serialize;
use shlex::try_quote;

use crate::{
    decide::{Decision, Drawn, Evidence, decide},
    draws::Draws,
    error::{EvaluationError, wrong},
    front::Basis,
    interval::Interval,
    ope::OffPolicy,
    swept::Swept,
};

/// The least number of users in a part, or of requests when the log names no users. A bootstrap over
/// fewer does not give a usable interval.
const FEWEST_USERS: u64 = 30;
/// Points of the grid on which a weight is chosen.
const GRID: usize = 400;

/// What the test part shows of one weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outcome {
    /// λ.
    pub lambda: f64,
    /// What it gains.
    pub gain: Interval,
    /// What it costs.
    pub cost: Interval,
}

/// A weight that is recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommended {
    /// λ, the middle of an interval.
    pub lambda: f64,
    /// The weights of all objectives at it.
    pub weights: Vec<f64>,
    /// The lowest and the highest λ that are feasible and do not differ from the best at the level
    /// of the draws.
    pub range: (f64, f64),
    /// What the tune part shows of it; there the interval is the band on which the choice was made.
    pub tune: Outcome,
    /// What the untouched test part shows of it.
    pub test: Outcome,
    /// What the test part shows of the reference λ.
    pub reference: Outcome,
    /// Gain over the reference on the test part, paired.
    pub gain_change: Interval,
    /// Cost over the reference on the test part, paired.
    pub cost_change: Interval,
    /// Whether the test part's estimate keeps the limit; none for an exchange rate.
    pub kept: Option<bool>,
}

/// The answer.
#[derive(Debug, Clone, Serialize)]
pub struct Recommendation {
    /// The goal.
    pub goal: Goal,
    /// What gain and cost are counted in.
    pub basis: Basis,
    /// Name of the gained objective.
    pub gain: String,
    /// Name of the objective whose weight was chosen.
    pub cost: String,
    /// The objectives with the versions that the weights are bound to.
    pub bound_to: Vec<Objective>,
    /// How intervals were drawn.
    pub draws: Draws,
    /// The weight, if there is evidence for one.
    pub recommended: Option<Recommended>,
    /// Why no weight is recommended.
    pub reason: Option<String>,
}

impl Recommendation {
    /// Recommends the weight that a goal asks for.
    ///
    /// # Errors
    /// [`EvaluationError::Option`] for an invalid goal or invalid draws. Too little evidence is not
    /// an error: see [`Recommendation::reason`].
    pub fn new(
        log: &Log,
        swept: &Swept,
        off_policy: &OffPolicy,
        goal: Goal,
        basis: Basis,
        draws: Draws,
    ) -> Result<Self, EvaluationError> {
        draws.check()?;
        check_goal(goal)?;
        let question = &swept.question;
        let answer = match (enough(swept, off_policy, basis), basis) {
            (Some(reason), _) => Err(reason),
            (None, Basis::OffPolicy) => estimated(swept, off_policy, goal, draws),
            (None, _) => recommend(log, swept, goal, basis, draws)?,
        };
        let (recommended, reason) = match answer {
            Ok(recommended) => (Some(recommended), None),
            Err(reason) => (None, Some(reason)),
        };
        let bound_to = question.places.iter();
        Ok(Self {
            goal,
            basis,
            gain: question.objectives[question.gain].clone(),
            cost: question.objectives[question.swept].clone(),
            bound_to: bound_to
                .map(|&place| log.objectives()[place].clone())
                .collect(),
            draws,
            recommended,
            reason,
        })
    }

    /// The command that applies it: α is 1 and the others as they were fixed.
    pub fn command(&self) -> Option<String> {
        // Only a zero byte cannot be quoted, and no name of an objective holds one.
        let quote = |text: &str| try_quote(text).unwrap_or_default().into_owned();
        let weights = &self.recommended.as_ref()?.weights;
        let assignments = self.bound_to.iter().zip(weights);
        let assignments: Vec<String> = assignments
            .map(|(objective, weight)| format!("{}={weight}", quote(&objective.name)))
            .collect();
        let goal = match self.goal {
            Goal::Budget(most) => format!("{} of at most {most}", self.cost),
            Goal::AtLeast(least) => format!("{} of at least {least}", self.gain),
            Goal::Rate(rate) => format!("{rate} {} per {}", self.gain, self.cost),
        };
        Some(format!(
            "counterweight weights set {} -m {}",
            assignments.join(" "),
            quote(&format!("bench recommend: {goal}"))
        ))
    }
}

/// Checks that a goal can be reached by some weight.
///
/// # Errors
/// [`EvaluationError::Option`].
pub fn check_goal(goal: Goal) -> Result<(), EvaluationError> {
    let (name, value, expected, fits) = match goal {
        Goal::Budget(value) => (
            "the budget",
            value,
            "it is a share of the page, from 0 to 1",
            (0.0..=1.0).contains(&value),
        ),
        Goal::AtLeast(value) => (
            "the least gain",
            value,
            "it is a share of the page, from 0 to 1",
            (0.0..=1.0).contains(&value),
        ),
        Goal::Rate(value) => (
            "the exchange rate",
            value,
            "it is finite and at least 0",
            value.is_finite() && value >= 0.0,
        ),
    };
    if fits {
        return Ok(());
    }
    Err(EvaluationError::Option {
        name,
        value: value.to_string(),
        expected,
    })
}

/// Why there cannot be a recommendation, before any curve is looked at.
fn enough(swept: &Swept, off_policy: &OffPolicy, basis: Basis) -> Option<String> {
    let summary = &swept.summary;
    for (part, users) in [("tune", summary.tune_users), ("test", summary.test_users)] {
        if users < FEWEST_USERS {
            return Some(format!(
                "the {part} part has {users} users or requests to draw from, and an interval takes at least {FEWEST_USERS}"
            ));
        }
    }
    if basis == Basis::OffPolicy && !off_policy.is_usable() {
        return Some(
            "λ was not randomised, or no outcome of what was shown is known: off-policy estimates take both"
                .to_owned(),
        );
    }
    if basis == Basis::Realised && swept.basis() != Basis::Realised {
        return Some(
            "some outcomes are not known, and those that are favour what was shown: randomise λ and recommend on off-policy estimates, or trust the models and recommend on what they predict"
                .to_owned(),
        );
    }
    None
}

type Answer = Result<Recommended, String>;

fn recommend(
    log: &Log,
    swept: &Swept,
    goal: Goal,
    basis: Basis,
    draws: Draws,
) -> Result<Answer, EvaluationError> {
    let refused = |source| wrong(log.name(), source);
    let (gain, cost) = swept.gain_and_cost(basis);
    let tune = swept.part(log, Parts::Tune)?;
    let curves = tune.curves().map_err(refused)?;
    let at = curves.grid(GRID, MIN_WIDTH);
    let tune = draw(log, tune, &at, draws)?;
    let mut evidence = Evidence {
        gain: drawn(&tune, gain, draws.level),
        cost: drawn(&tune, cost, draws.level),
        at,
    };
    let decision = match decide(&evidence, goal, normal_quantile(draws.level)) {
        Ok(decision) => decision,
        Err(reason) => return Ok(Err(reason)),
    };
    // Any point of the interval gives the same pages: the one that is easiest to say.
    let step = |i: usize| curves.interval(curves.step_at(evidence.at[i]));
    let lambda = shortest(step(decision.choice), evidence.at[decision.choice]);
    let range = (step(decision.first).0, step(decision.last).1);
    let test = draw(
        log,
        swept.part(log, Parts::Test)?,
        &[swept.question.reference, lambda],
        draws,
    )?;
    evidence.at[decision.choice] = lambda;
    let shown = Evidence {
        gain: drawn(&test, gain, draws.level),
        cost: drawn(&test, cost, draws.level),
        at: vec![swept.question.reference, lambda],
    };
    let evidence = [&evidence, &shown];
    Ok(Ok(recommended(
        swept, goal, evidence, decision, range, draws,
    )))
}

/// The same on off-policy estimates, at points that are easy to say already.
fn estimated(swept: &Swept, off_policy: &OffPolicy, goal: Goal, draws: Draws) -> Answer {
    let tune = off_policy.evidence(Part::Tune, draws);
    let decision = decide(&tune, goal, normal_quantile(draws.level))?;
    let test = off_policy.evidence(Part::Test, draws);
    let reference = test
        .at
        .iter()
        .position(|at| *at == swept.question.reference);
    let two = |drawn: &Drawn| {
        let pick = |values: &Vec<f64>| {
            let at = |i: Option<usize>| i.map_or(f64::NAN, |i| values[i]);
            vec![at(reference), values[decision.choice]]
        };
        let replicates = drawn.replicates.iter().map(pick).collect();
        Drawn::new(pick(&drawn.estimate), replicates, draws.level)
    };
    let shown = Evidence {
        at: vec![swept.question.reference, tune.at[decision.choice]],
        gain: two(&test.gain),
        cost: two(&test.cost),
    };
    if !shown.gain.estimate[1].is_finite() {
        return Err(format!(
            "the weights of the test part cannot carry an estimate at λ = {:.4}, which the tune part would choose",
            tune.at[decision.choice]
        ));
    }
    let range = (tune.at[decision.first], tune.at[decision.last]);
    Ok(recommended(
        swept,
        goal,
        [&tune, &shown],
        decision,
        range,
        draws,
    ))
}

fn draw(log: &Log, sweep: &Sweep, at: &[f64], draws: Draws) -> Result<Replicates, EvaluationError> {
    sweep
        .bootstrap(at, draws.replicates, draws.seed)
        .map_err(|source| wrong(log.name(), source))
}

fn drawn(replicates: &Replicates, curve: usize, level: f64) -> Drawn {
    let band = replicates.band(curve, level);
    Drawn {
        estimate: replicates.estimate(curve).to_vec(),
        replicates: (0..replicates.len())
            .map(|replicate| replicates.values(curve, replicate).to_vec())
            .collect(),
        low: band.low,
        high: band.high,
    }
}

fn recommended(
    swept: &Swept,
    goal: Goal,
    [tune, test]: [&Evidence; 2],
    decision: Decision,
    range: (f64, f64),
    draws: Draws,
) -> Recommended {
    let banded = |drawn: &Drawn| Interval {
        value: drawn.estimate[decision.choice],
        low: drawn.low[decision.choice],
        high: drawn.high[decision.choice],
    };
    let lambda = tune.at[decision.choice];
    let outcome = |point: usize| Outcome {
        lambda: test.at[point],
        gain: interval(&test.gain, draws.level, &|values| values[point]),
        cost: interval(&test.cost, draws.level, &|values| values[point]),
    };
    let shown = outcome(1);
    let change = |drawn| interval(drawn, draws.level, &|values: &[f64]| values[1] - values[0]);
    Recommended {
        lambda,
        weights: swept.question.weights_at(lambda),
        range,
        tune: Outcome {
            lambda,
            gain: banded(&tune.gain),
            cost: banded(&tune.cost),
        },
        test: shown,
        reference: outcome(0),
        gain_change: change(&test.gain),
        cost_change: change(&test.cost),
        kept: match goal {
            Goal::Budget(most) => Some(shown.cost.value <= most),
            Goal::AtLeast(least) => Some(shown.gain.value >= least),
            Goal::Rate(_) => None,
        },
    }
}

/// The estimate ± the normal quantile times the standard deviation of the replicates.
fn interval(drawn: &Drawn, level: f64, of: &dyn Fn(&[f64]) -> f64) -> Interval {
    let value = of(&drawn.estimate);
    let draws = drawn.replicates.iter().map(|values| of(values));
    let half = normal_quantile(level) * deviation(draws);
    Interval {
        value,
        low: value - half,
        high: value + half,
    }
}
