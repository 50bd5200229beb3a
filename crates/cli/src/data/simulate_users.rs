//! `counterweight data simulate-users`: plays the users of the simulated feed against a running
//! combiner.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use counterweight_simulator::{Config, Population};
use counterweight_users::{Counts, Pace, TruthFile, play};
use serde_json::json;

use crate::{
    client::Combiner,
    number::parse_number,
    output::{Output, lines},
    progress,
    runtime::runtime,
};

/// The users, and the combiner that they visit.
#[derive(Args)]
pub(crate) struct SimulateUsers {
    /// How many visits to play. One comes every minute of simulated time.
    #[arg(long, default_value_t = Config::default().requests)]
    requests: u64,
    /// The seed of the users, the posts and what the users do. The same seed, and the same pages,
    /// give the same events. Its posts are those of `data generate` with this seed, so take
    /// another seed than that of the models' training data.
    #[arg(long, default_value_t = 2)]
    seed: u64,
    /// How many times faster than real time: at 1000, 2,000 visits take two minutes, and the last
    /// events arrive about three minutes later. Times in the events are compressed alike: 24 hours
    /// become 86.4 seconds. A value beyond what the combiner can do plays as fast as it answers.
    #[arg(long, default_value_t = 1000.0, value_name = "FACTOR", value_parser = parse_speed)]
    speed: f64,
    /// Write the truth to this Parquet file: a row for each shown candidate, with the probabilities,
    /// the labels that were drawn, and what became of each event.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    combiner: Combiner,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    parse_number(text)
        .filter(|&speed| speed.is_finite() && speed > 0.0)
        .ok_or_else(|| "give a number above 0, for example 1000".to_owned())
}

impl SimulateUsers {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        runtime()?.block_on(self.play(output))
    }

    async fn play(self, output: Output) -> anyhow::Result<()> {
        let mut population = Population::new(Config {
            requests: self.requests,
            seed: self.seed,
            ..Config::default()
        })?;
        let mut truth = self.truth.clone().map(TruthFile::create).transpose()?;
        let channel = self.combiner.connect().await?;
        let bar = progress::counter("visits", self.requests);
        let pace = Pace::Faster(self.speed);
        let playing = play(&mut population, channel, pace, |played| {
            bar.inc(1);
            match &mut truth {
                Some(truth) => truth.write(played),
                None => Ok(()),
            }
        });
        let counts = playing.await?;
        bar.finish_and_clear();
        if let Some(truth) = truth {
            truth.finish()?;
        }
        let value = json!({
            "ranked": counts.ranked,
            "not_ranked": counts.not_ranked,
            "shown": counts.shown,
            "engaged": counts.positive[0],
            "baits": counts.positive[1],
            "events": counts.events,
            "after_window": counts.after_window,
            "sent_twice": counts.repeated,
            "accepted": counts.accepted,
            "refused": counts.refused,
            "unknown": counts.unknown,
            "retries": counts.retries,
            "problems": counts.problems,
            "truth": self.truth,
        });
        output.print(&value, |_| summary(&counts))?;
        match counts.failures() {
            0 => Ok(()),
            failures => bail!("{failures} requests or events failed; see the problems above"),
        }
    }
}

fn summary(counts: &Counts) -> String {
    let mut text = vec![
        format!(
            "{} visits were ranked, {} were not; {} candidates shown: {} engaged, {} reported as bait",
            counts.ranked, counts.not_ranked, counts.shown, counts.positive[0], counts.positive[1]
        ),
        format!(
            "{} events, {} of them more than 24 hours after the ranking; {} were sent twice",
            counts.events, counts.after_window, counts.repeated
        ),
        format!(
            "{} copies were kept, {} refused, {} not known to be kept; {} calls were repeated",
            counts.accepted, counts.refused, counts.unknown, counts.retries
        ),
    ];
    let problems = counts.problems.iter();
    text.extend(problems.map(|(problem, count)| format!("{count} times: {problem}")));
    lines(text)
}
