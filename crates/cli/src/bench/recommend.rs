//! `counterweight bench recommend`: recommends a weight for a goal. The weight is chosen on one
//! part of a log and judged on the other.

use anyhow::Context as _;
use clap::{ArgGroup, Args, ValueEnum};
use counterweight_evaluation::{
    Basis, Goal, Interval, Log, OffPolicy, Outcome, Parts, Recommendation, Recommended, Swept,
    check_goal,
};
use counterweight_ranking::symbol;
use serde_json::json;

use super::log::{DrawArgs, LogArgs, QuestionArgs, bound_line, read_line};
use crate::{
    number::{parse_non_negative, parse_share},
    output::{Output, table},
};

/// Recommend a weight for a goal, with its cost and intervals; or report why none can be given.
#[derive(Args)]
#[command(group(ArgGroup::new("goal").required(true).args(["bait_budget", "min_engagement", "exchange_rate"])))]
pub(crate) struct Recommend {
    #[command(flatten)]
    goal: GoalArgs,
    /// How gain and cost are measured [default: by outcomes if all are known, otherwise by
    /// off-policy estimates if λ was randomised].
    #[arg(long, value_enum)]
    basis: Option<BasisName>,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    draws: DrawArgs,
}

/// A goal, if any.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct GoalArgs {
    /// Goal: the highest engagement with a bait exposure of at most SHARE (0 to 1).
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    bait_budget: Option<f64>,
    /// Goal: the lowest bait exposure with an engagement of at least SHARE (0 to 1).
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_engagement: Option<f64>,
    /// Goal: the best trade if one bait avoided is worth RATE engagements.
    #[arg(long, value_name = "RATE", value_parser = parse_non_negative)]
    exchange_rate: Option<f64>,
}

impl GoalArgs {
    pub(crate) fn goal(&self) -> Option<Goal> {
        self.bait_budget
            .map(Goal::Budget)
            .or(self.min_engagement.map(Goal::AtLeast))
            .or(self.exchange_rate.map(Goal::Rate))
    }
}

/// How gain and cost are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BasisName {
    /// By observed outcomes; all of them must be known.
    Realised,
    /// By off-policy estimates; λ must have been randomised.
    OffPolicy,
    /// By the predictions of the models.
    Predicted,
}

impl BasisName {
    /// The given basis. Without one, off-policy estimates if some outcomes are unknown and λ was
    /// randomised, otherwise observed outcomes.
    pub(crate) fn or_default(given: Option<Self>, swept: &Swept, off_policy: &OffPolicy) -> Basis {
        match given {
            Some(Self::Realised) => Basis::Realised,
            Some(Self::OffPolicy) => Basis::OffPolicy,
            Some(Self::Predicted) => Basis::Predicted,
            None if swept.basis() != Basis::Realised && off_policy.is_usable() => Basis::OffPolicy,
            None => Basis::Realised,
        }
    }
}

impl Recommend {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let goal = self
            .goal
            .goal()
            .context("give a goal: --bait-budget, --min-engagement or --exchange-rate")?;
        let explored = matches!(self.basis, None | Some(BasisName::OffPolicy));
        check_goal(goal)?;
        let draws = self.log.draws(&self.draws);
        draws.check()?;
        let mut log = self.log.open()?;
        let (swept, off_policy) = LogArgs::sweep(&mut log, &self.question, Parts::All, explored)?;
        let basis = BasisName::or_default(self.basis, &swept, &off_policy);
        let answer = Recommendation::new(&log, &swept, &off_policy, goal, basis, draws)?;
        let value = json!({
            "log": log.name(),
            "read": swept.summary,
            "recommendation": answer,
            "command": answer.command(),
        });
        output.print(&value, |_| human(&log, &swept, &answer))
    }
}

fn human(log: &Log, swept: &Swept, answer: &Recommendation) -> String {
    let read = read_line(log, &swept.summary);
    let Some(found) = &answer.recommended else {
        let reason = answer
            .reason
            .as_deref()
            .unwrap_or("the log does not contain enough evidence");
        return format!("{read}\n\nno recommendation: {reason}");
    };
    let weights: Vec<String> = answer
        .bound_to
        .iter()
        .zip(&found.weights)
        .enumerate()
        .map(|(i, (objective, weight))| format!("{} = {weight} ({})", symbol(i), objective.name))
        .collect();
    let basis = match answer.basis {
        Basis::Realised => "observed outcomes",
        Basis::OffPolicy => "off-policy estimates",
        Basis::Predicted => "the predictions of the models, which are only as good as the models",
    };
    let (gain, cost) = (&answer.gain, &answer.cost);
    let kept = match found.kept {
        Some(true) => "\nThe test part keeps the limit.",
        Some(false) => {
            "\nThe test part does NOT keep the limit: tune on more users, or ask for less."
        }
        None => "",
    };
    format!(
        "{read}\n\n{}\nOn the tune part, the weights from λ = {:.4} to {:.4} keep the limit and do not differ significantly from the best.\nOne {cost} avoided is valued at {:.4} {gain}: a candidate with 10 points more of P({cost}) needs {:.2} points more of P({gain}) to keep its place.\n\n{}\nMeasured by {basis}, with {:.0} % intervals over users. The change is paired and starts from λ = {}.{kept}\nThe weights are bound to {}: run this again when a model changes.\n\n{}",
        weights.join(", "),
        found.range.0,
        found.range.1,
        found.lambda,
        10.0 * found.lambda,
        outcome_table(answer, found),
        100.0 * answer.draws.level,
        found.reference.lambda,
        bound_line(&answer.bound_to),
        answer.command().unwrap_or_default(),
    )
}

fn outcome_table(answer: &Recommendation, found: &Recommended) -> String {
    let interval = |i: Interval| {
        if i.value.is_finite() {
            format!("{:.4} ({:.4} … {:.4})", i.value, i.low, i.high)
        } else {
            "–".to_owned()
        }
    };
    let row = |name: &str, outcome: &Outcome| {
        vec![
            name.to_owned(),
            format!("{:.4}", outcome.lambda),
            interval(outcome.gain),
            interval(outcome.cost),
        ]
    };
    let header = ["", "λ", answer.gain.as_str(), answer.cost.as_str()];
    let mut change = row("test, change", &found.test);
    change[1] = String::new();
    change[2] = interval(found.gain_change);
    change[3] = interval(found.cost_change);
    table(
        &header,
        1,
        [
            row("tune, chosen on", &found.tune),
            row("test, recommended", &found.test),
            row("test, reference", &found.reference),
            change,
        ],
    )
}
