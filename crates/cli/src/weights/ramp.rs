//! `weights ramp`: walks to a target in even steps, or stops walking.

use std::time::Duration;

use clap::Args;
use counterweight_proto::counterweight::v1::{ProfileAt, StartRampRequest, StopRampRequest};

use super::{
    Writer, assignment, connect, current, named,
    show::{entry_json, written},
};
use crate::{
    client::{Combiner, explain},
    output::Output,
};

/// Walk to a target in even steps, or stop walking. The combiners walk; this command returns at once.
#[derive(Args)]
pub(crate) struct Ramp {
    /// The target, as OBJECTIVE=WEIGHT; objectives that are not named keep their weight.
    #[arg(required_unless_present = "stop", conflicts_with = "stop", value_name = "OBJECTIVE=WEIGHT", value_parser = assignment)]
    target: Vec<(String, f64)>,
    /// How long it takes in all, as 90s, 10m, 2h or 1d.
    #[arg(long, required_unless_present = "stop", conflicts_with = "stop", value_name = "DURATION", value_parser = duration)]
    over: Option<Duration>,
    /// In how many steps [default: 20, or as many more as the largest steps demand].
    #[arg(long, value_name = "N", conflicts_with = "stop")]
    steps: Option<u32>,
    /// Stop the ramp where it is.
    #[arg(long)]
    stop: bool,
    /// The profile to move.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    /// Pass the bounds; the history says so.
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
        let cause = Some(self.writer.cause());
        let entry = if self.stop {
            // Whatever step it is at by now.
            let request = StopRampRequest {
                profile: Some(ProfileAt {
                    profile: self.profile,
                    expected_revision: None,
                }),
                cause,
            };
            let answer = client.stop_ramp(request).await;
            answer
                .map_err(|status| explain(&status))?
                .into_inner()
                .entry
        } else {
            let before = current(&mut client, &self.profile).await?;
            let request = StartRampRequest {
                target: named(&self.target, &before)?,
                profile: Some(ProfileAt {
                    profile: self.profile,
                    expected_revision: Some(before.revision),
                }),
                duration: self.over.and_then(|over| over.try_into().ok()),
                steps: self.steps.unwrap_or(0),
                cause,
                force: self.force,
            };
            let answer = client.start_ramp(request).await;
            answer
                .map_err(|status| explain(&status))?
                .into_inner()
                .entry
        };
        let entry = entry.unwrap_or_default();
        output.print(&entry_json(&entry), |_| written(&entry))
    }
}

/// A number with a unit: ms, s, m, h or d.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write for example 90s, 10m, 2h or 1d");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "10", "m", "0s", "-1s", "1w", "1e99d", "nans"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
