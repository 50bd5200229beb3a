//! `weights solve`: finds the weight that meets a goal on the recent requests, and prints the
//! command that applies it.

use std::env;

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use counterweight_proto::{
    counterweight::v1::{SolveWeightsRequest, SolveWeightsResponse, solve_weights_request::Goal},
    to_json,
};
use counterweight_ranking::{number_text, symbol};
use serde_json::json;

use super::{
    page::PageSize,
    preview_text::preview_text,
    session::{connect, read_profile, resolve_objective},
};
use crate::{
    client::{Combiner, DEFAULT_ADDRESS, explain_status},
    number::{parse_non_negative, parse_share},
    output::{Output, escape},
    shell::shell_command,
};

/// Find the best weight that meets a goal on the recent requests, and print the command that
/// applies it. No model is called and nothing is changed.
#[derive(Args)]
#[command(group(ArgGroup::new("goal").required(true).args(["bait_budget", "min_engagement", "exchange_rate"])))]
pub(crate) struct Solve {
    /// Goal: the highest engagement with a bait exposure of at most SHARE (0 to 1).
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    bait_budget: Option<f64>,
    /// Goal: the lowest bait exposure with an engagement of at least SHARE (0 to 1).
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_engagement: Option<f64>,
    /// Goal: the highest value of engagement minus RATE times bait exposure. One bait avoided is
    /// then worth RATE engagements.
    #[arg(long, value_name = "RATE", value_parser = parse_non_negative)]
    exchange_rate: Option<f64>,
    /// The objective whose weight to find, by name or symbol [default: the second]. Bait exposure
    /// is the mean probability of this objective on the page; engagement is that of the first
    /// objective.
    #[arg(long)]
    objective: Option<String>,
    /// The profile whose weight to find.
    #[arg(long, default_value = "default")]
    profile: String,
    #[command(flatten)]
    page: PageSize,
    #[command(flatten)]
    combiner: Combiner,
}

impl Solve {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let (goal, words) = self.goal()?;
        let mut client = connect(&self.combiner).await?;
        let sought = match &self.objective {
            Some(name) => {
                resolve_objective(name, &read_profile(&mut client, &self.profile).await?)?
            }
            None => String::new(),
        };
        let request = SolveWeightsRequest {
            profile: self.profile,
            objective: sought,
            k: self.page.places(),
            goal: Some(goal),
        };
        let answer = client.solve_weights(request).await;
        let answer = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let command = set_command(&answer, &words, &self.combiner.address);
        let mut value = to_json(&answer)?;
        value["command"] = json!(command);
        output.print(&value, |_| answer_text(&answer, &words, &command))
    }

    fn goal(&self) -> anyhow::Result<(Goal, String)> {
        let budget = self.bait_budget.map(|budget| {
            (
                Goal::BaitBudget(budget),
                format!("bait exposure of at most {budget}"),
            )
        });
        let floor = self.min_engagement.map(|floor| {
            (
                Goal::MinEngagement(floor),
                format!("engagement of at least {floor}"),
            )
        });
        let rate = self.exchange_rate.map(|rate| {
            (
                Goal::ExchangeRate(rate),
                format!("{rate} engagements for one bait avoided"),
            )
        });
        budget
            .or(floor)
            .or(rate)
            .context("give a goal: --bait-budget, --min-engagement or --exchange-rate")
    }
}

fn answer_text(answer: &SolveWeightsResponse, words: &str, command: &str) -> String {
    let preview = answer.preview.clone().unwrap_or_default();
    let solved = answer.solved.clone().unwrap_or_default();
    let range = answer.range.unwrap_or_default();
    let objectives = &preview.after;
    let position = objectives
        .iter()
        .position(|own| own.objective == solved.objective);
    let gained = objectives
        .first()
        .map_or("engagement", |own| own.objective.as_str());
    let (gained, objective) = (escape(gained), escape(&solved.objective));
    format!(
        "{} = {} ({}): {words}\nWith any weight between {} and {} the pages of the recent requests have the same candidates. On these pages {gained} is {:.6} and {} is {:.6}.\n\n{}\n\n{command}",
        position.map(symbol).unwrap_or_default(),
        number_text(solved.weight),
        objective,
        number_text(range.low),
        number_text(range.high),
        answer.engagement,
        objective,
        answer.bait,
        preview_text(&preview)
    )
}

/// The command that applies the weight, if the profile is still as it was in the preview.
fn set_command(answer: &SolveWeightsResponse, words: &str, address: &str) -> String {
    let preview = answer.preview.clone().unwrap_or_default();
    let solved = answer.solved.clone().unwrap_or_default();
    let mut arguments = vec![
        "weights".to_owned(),
        "set".to_owned(),
        format!("{}={}", solved.objective, number_text(solved.weight)),
        "--profile".to_owned(),
        preview.profile,
        "--expect".to_owned(),
        preview.revision.to_string(),
    ];
    // The next command also reads the address from the environment.
    let known = env::var("COUNTERWEIGHT_ADDRESS");
    if address != DEFAULT_ADDRESS && known.as_deref() != Ok(address) {
        arguments.extend(["--address".to_owned(), address.to_owned()]);
    }
    arguments.extend(["-m".to_owned(), format!("weights solve: {words}")]);
    shell_command(&arguments)
}

#[cfg(test)]
mod tests {
    use counterweight_proto::counterweight::v1::{ObjectiveWeight, Preview};

    use super::*;

    #[test]
    fn the_command_is_one_for_a_shell() {
        let answer = SolveWeightsResponse {
            solved: Some(ObjectiveWeight {
                objective: "a bait's".to_owned(),
                weight: -1.25,
            }),
            preview: Some(Preview {
                profile: "home".to_owned(),
                revision: 7,
                ..Preview::default()
            }),
            ..SolveWeightsResponse::default()
        };
        assert_eq!(
            set_command(&answer, "bait exposure of at most 0.1", DEFAULT_ADDRESS),
            r#"counterweight weights set "a bait's=-1.25" --profile home --expect 7 -m 'weights solve: bait exposure of at most 0.1'"#
        );
        let elsewhere = set_command(&answer, "x", "http://ten:7000");
        assert!(
            elsewhere.contains(" --address http://ten:7000 -m "),
            "{elsewhere}"
        );
    }
}
