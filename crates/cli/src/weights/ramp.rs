//! `weights ramp`: moves weights to a target in steps over time, or stops moving them.

use std::time::Duration;

use clap::Args;
use counterweight_config::parse_duration;
use counterweight_proto::{
    counterweight::v1::{ProfileRevision, StartRampRequest, StopRampRequest, WeightsEntry},
    to_json,
};
use serde_json::{Value, json};

use super::{
    session::{Client, Writer, connect, read_profile, resolve_weights},
    text::written_entry,
};
use crate::{
    client::{Combiner, explain_status},
    number::parse_weight,
    output::Output,
};

/// Move weights to a target in steps over time, or stop moving them.
///
/// The combiners make the steps; this command returns at once. All steps turn the weights by the
/// same angle; they do not add equal amounts. Only the angle between the weights decides the order
/// of candidates, so every step changes the order about equally much. The angle is measured after
/// each weight is multiplied by the usual probability of its objective (`base_rate` in the
/// configuration, 1 by default).
///
/// At half time the weights are therefore at half of the angle. With α = 1, a ramp from β = 0 to
/// β = −4 is then at β = −0.78 rather than −2; from β = −1 to β = −2 it is at β = −1.39.
#[derive(Args)]
pub(crate) struct Ramp {
    /// The target, as OBJECTIVE=WEIGHT; objectives that are not named keep their weight.
    #[arg(required_unless_present = "stop", conflicts_with = "stop", value_name = "OBJECTIVE=WEIGHT", value_parser = parse_weight)]
    target: Vec<(String, f64)>,
    /// The duration of the whole ramp, such as 90s, 10m, 2h or 1d.
    #[arg(long, required_unless_present = "stop", conflicts_with = "stop", value_name = "DURATION", value_parser = parse_duration)]
    over: Option<Duration>,
    /// The number of steps [default: 20, or more if the bounds limit the size of a step].
    #[arg(long, value_name = "N", conflicts_with = "stop")]
    steps: Option<u32>,
    /// Stop the ramp at its current step.
    #[arg(long)]
    stop: bool,
    /// The profile to change.
    #[arg(long, default_value = "default")]
    profile: String,
    /// Start the ramp even if it violates the configured bounds; the history records this.
    #[arg(long, conflicts_with = "stop")]
    force: bool,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl Ramp {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let entry = if self.stop {
            self.stop(&mut client).await?
        } else {
            self.start(&mut client).await?
        };
        output.print(&to_json(&entry)?, |_| written_entry(&entry))
    }

    async fn start(self, client: &mut Client) -> anyhow::Result<WeightsEntry> {
        let command = self.command();
        let before = read_profile(client, &self.profile).await?;
        let request = StartRampRequest {
            target: resolve_weights(&self.target, &before)?,
            profile: Some(ProfileRevision {
                profile: self.profile,
                expected_revision: Some(before.revision),
            }),
            duration: self.over.and_then(|over| over.try_into().ok()),
            steps: self.steps.unwrap_or(0),
            cause: Some(self.writer.cause(&command)),
            force: self.force,
        };
        let answer = client.start_ramp(request).await;
        let answer = answer.map_err(|status| explain_status(&status))?;
        Ok(answer.into_inner().entry.unwrap_or_default())
    }

    async fn stop(self, client: &mut Client) -> anyhow::Result<WeightsEntry> {
        let command = self.command();
        let request = StopRampRequest {
            profile: Some(ProfileRevision {
                profile: self.profile,
                // Stop it at whichever step it has reached.
                expected_revision: None,
            }),
            cause: Some(self.writer.cause(&command)),
        };
        let answer = client.stop_ramp(request).await;
        let answer = answer.map_err(|status| explain_status(&status))?;
        Ok(answer.into_inner().entry.unwrap_or_default())
    }

    /// The command line, by which repeats with the same idempotency key are recognised.
    fn command(&self) -> Value {
        let over = self.over.map(|over| over.as_secs_f64());
        json!([
            "ramp",
            self.target,
            over,
            self.steps,
            self.stop,
            self.profile,
            self.force
        ])
    }
}

#[cfg(test)]
mod tests {
    use counterweight_ranking::{Ramp as RampPath, Weights};

    use super::*;

    #[test]
    fn the_help_says_where_a_ramp_is_at_half_time() {
        let help = Ramp::augment_args(clap::Command::new("ramp"))
            .get_long_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        for (from, to) in [(0.0, -4.0), (-1.0, -2.0)] {
            let weights = |beta: f64| Weights::new(vec![1.0, beta]).unwrap();
            let path = RampPath::new(&weights(from), &weights(to), &[1.0, 1.0]).unwrap();
            let half = format!("β = −{:.2}", -path.weights_at(1, 2)[1]);
            assert!(help.contains(&half), "{half}: {help}");
        }
    }
}
