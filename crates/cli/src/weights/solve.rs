//! `weights solve`: the weight that meets a goal on the recent requests, and the command that applies it.

use std::env;

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use counterweight_proto::counterweight::v1::{
    SolveWeightsRequest, SolveWeightsResponse, solve_weights_request::Goal,
};
use counterweight_ranking::symbol;
use serde_json::json;

use super::{
    connect, current, objective,
    preview::Page,
    previewed::{preview_json, preview_text},
};
use crate::{
    client::{Combiner, explain},
    output::{Output, finite},
};

/// Find the weight of one objective that meets a goal on the recent requests with the least loss of the other, and print the command that applies it; no model is called and nothing is changed.
#[derive(Args)]
#[command(group(ArgGroup::new("goal").required(true).args(["bait_budget", "min_engagement", "exchange_rate"])))]
pub(crate) struct Solve {
    /// The most engagement with a bait exposure of at most this share of the page.
    #[arg(long, env = "COUNTERWEIGHT_BAIT_BUDGET", value_name = "SHARE", value_parser = share)]
    bait_budget: Option<f64>,
    /// The least bait exposure with an engagement of at least this share of the page.
    #[arg(long, env = "COUNTERWEIGHT_MIN_ENGAGEMENT", value_name = "SHARE", value_parser = share)]
    min_engagement: Option<f64>,
    /// The best weight when one bait avoided is worth this many engagements.
    #[arg(long, env = "COUNTERWEIGHT_EXCHANGE_RATE", value_name = "RATE", value_parser = rate)]
    exchange_rate: Option<f64>,
    /// The objective whose weight is sought, by name or symbol; bait is its exposure, engagement that of the first [default: the second].
    #[arg(long, env = "COUNTERWEIGHT_OBJECTIVE")]
    objective: Option<String>,
    /// The profile whose weight is sought.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    combiner: Combiner,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a share from 0 to 1, for example 0.08".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..f64::INFINITY).contains(&rate) => Ok(rate),
        _ => Err("give a number of at least 0".to_owned()),
    }
}

impl Solve {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let (goal, words) = self.goal()?;
        let mut client = connect(&self.combiner).await?;
        let sought = match &self.objective {
            Some(name) => objective(name, &current(&mut client, &self.profile).await?)?,
            None => String::new(),
        };
        let request = SolveWeightsRequest {
            profile: self.profile,
            objective: sought,
            k: self.page.places(),
            goal: Some(goal),
        };
        let answer = client
            .solve_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let command = command(&answer, &words, &self.combiner.address);
        let (solved, range) = (answer.solved.clone().unwrap_or_default(), answer.range);
        let range = range.unwrap_or_default();
        let preview = answer.preview.clone().unwrap_or_default();
        let value = json!({
            "objective": solved.objective,
            "weight": solved.weight,
            "range": { "low": finite(range.low), "high": finite(range.high) },
            "engagement": answer.engagement,
            "bait": answer.bait,
            "preview": preview_json(&preview),
            "command": command,
        });
        output.print(&value, |_| human(&answer, &words, &command))
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
            .context("no goal; give --bait-budget, --min-engagement or --exchange-rate")
    }
}

fn human(answer: &SolveWeightsResponse, words: &str, command: &str) -> String {
    let preview = answer.preview.clone().unwrap_or_default();
    let solved = answer.solved.clone().unwrap_or_default();
    let range = answer.range.unwrap_or_default();
    let objectives = &preview.after;
    let at = objectives
        .iter()
        .position(|own| own.objective == solved.objective);
    let gained = objectives
        .first()
        .map_or("engagement", |own| own.objective.as_str());
    format!(
        "{} = {} ({}): {words}\nWith a weight between {} and {} the pages of the recent requests keep their candidates, and on all of them {gained} is {:.6} and {} {:.6}.\n\n{}\n\n{command}",
        at.map(symbol).unwrap_or_default(),
        solved.weight,
        solved.objective,
        range.low,
        range.high,
        answer.engagement,
        solved.objective,
        answer.bait,
        preview_text(&preview)
    )
}

/// The command that puts the weight in force, if the profile is still as it was previewed.
fn command(answer: &SolveWeightsResponse, words: &str, address: &str) -> String {
    let preview = answer.preview.clone().unwrap_or_default();
    let solved = answer.solved.clone().unwrap_or_default();
    let mut command = format!(
        "counterweight weights set {} --profile {} --expect {}",
        quoted(&format!("{}={}", solved.objective, solved.weight)),
        quoted(&preview.profile),
        preview.revision,
    );
    // An address of the environment is there for the next command too.
    let known = env::var("COUNTERWEIGHT_ADDRESS");
    if address != crate::client::DEFAULT_ADDRESS && known.as_deref() != Ok(address) {
        command.push_str(&format!(" --address {}", quoted(address)));
    }
    command.push_str(&format!(
        " -m {}",
        quoted(&format!("weights solve: {words}"))
    ));
    command
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "=-_./:".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use counterweight_proto::counterweight::v1::{ObjectiveWeight, Preview};

    use super::*;
    use crate::client::DEFAULT_ADDRESS;

    #[test]
    fn goals_are_within_their_ranges() {
        assert_eq!(share("0.08"), Ok(0.08));
        assert_eq!(rate("1.5"), Ok(1.5));
        for wrong in ["-0.1", "1.1", "NaN", "8%", ""] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        for wrong in ["-1", "inf", "NaN", "x"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

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
            command(&answer, "bait exposure of at most 0.1", DEFAULT_ADDRESS),
            r"counterweight weights set 'a bait'\''s=-1.25' --profile home --expect 7 -m 'weights solve: bait exposure of at most 0.1'"
        );
        let elsewhere = command(&answer, "x", "http://ten:7000");
        assert!(
            elsewhere.contains(" --address http://ten:7000 -m "),
            "{elsewhere}"
        );
    }
}
