//! `log replay`: ranks a request log again and computes its probabilities again, and says what
//! differs.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use counterweight_impressions::{Replayed, Rescored, replay};
use counterweight_journal::{Kind, parts_of};
use counterweight_ranking::number_text;
use serde_json::json;

use crate::{
    models::load_all,
    output::{Output, escape},
};

/// Rank everything that a request log has again.
#[derive(Args)]
pub(crate) struct Replay {
    /// The folder of the log: `path` in [request_log] of the combiner's configuration.
    #[arg(long, value_name = "DIR")]
    requests: PathBuf,
    /// Compute the probabilities again with these models: model folders, or a folder of model
    /// folders. Every version in them is used for what it ranked.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    models: Vec<PathBuf>,
}

impl Replay {
    /// Exit code 1 when a ranking or a probability differs.
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        let parts = parts_of(&self.requests, Kind::Requests)?;
        if parts.is_empty() {
            bail!(
                "{} has no parts yet; rankings become a part when their write-ahead segment is closed",
                self.requests.display()
            );
        }
        let artefacts = load_all(&self.models)?;
        let replayed = replay(parts.iter().map(|part| part.path.as_path()), &artefacts)?;
        let value =
            json!({ "requests": self.requests, "parts": parts.len(), "replayed": replayed });
        output.print(&value, |_| self.text(parts.len(), &replayed))?;
        let probabilities = replayed.probabilities.map_or(0, |own| own.differing);
        match (replayed.differing, probabilities) {
            (0, 0) => Ok(()),
            (count, 0) => bail!("{count} rankings differ from their own numbers"),
            (0, count) => bail!("{count} probabilities differ from those of their model"),
            (rankings, probabilities) => bail!(
                "{rankings} rankings differ from their own numbers, and {probabilities} probabilities from those of their model"
            ),
        }
    }

    fn text(&self, parts: usize, replayed: &Replayed) -> String {
        let mut text = format!(
            "{}: {} rankings of {} candidates in {parts} parts; {} differ from their own numbers",
            self.requests.display(),
            replayed.rankings,
            replayed.candidates,
            replayed.differing
        );
        for (ranking, difference) in &replayed.differences {
            text.push_str(&format!("\n{ranking}: {difference}"));
        }
        if let Some(probabilities) = &replayed.probabilities {
            text.push_str(&probabilities_text(probabilities));
        }
        text
    }
}

fn probabilities_text(rescored: &Rescored) -> String {
    let mut text = format!(
        "\n{} probabilities were computed again from their features; {} differ",
        rescored.compared, rescored.differing
    );
    for one in &rescored.differences {
        text.push_str(&format!(
            "\n{}, candidate {}, {}: {} is logged, and model {} gives {}",
            escape(&one.ranking),
            escape(&one.candidate),
            escape(&one.objective),
            number_text(one.logged),
            one.version,
            number_text(one.computed)
        ));
    }
    let mut note = |count: u64, why: &str| {
        if count > 0 {
            text.push_str(&format!("\nnot compared: {count} {why}"));
        }
    };
    note(
        rescored.without_features,
        "of candidates whose features are not logged",
    );
    note(rescored.without_model, "that were a column of the request");
    for one in &rescored.not_at_hand {
        let why = format!(
            "of {} by model {}, which --models does not have",
            one.objective, one.version
        );
        note(one.probabilities, &why);
    }
    for one in &rescored.not_logged {
        let why = format!(
            "of {} by model {}, which reads features that are not in the log: {}",
            one.objective,
            one.version,
            one.features.join(", ")
        );
        note(one.probabilities, &why);
    }
    for one in &rescored.without_optional {
        text.push_str(&format!(
            "\n{} of {} were compared without optional features that are not in the log: {}; if they were sent and are not logged, a difference says nothing",
            one.probabilities,
            one.objective,
            one.features.join(", ")
        ));
    }
    text
}
