//! `weights explore`: draws the weight of the second objective for every request, so that the log
//! shows the effect of other weights.

use clap::{Args, ValueEnum};
use counterweight_proto::counterweight::v1::{
    Density as WireDensity, Exploration, ExplorationChange, ProfileChange, ProfileWeights,
};
use serde_json::json;

use super::{
    audience_text::exploration_text,
    change::{ChangeFlags, Changed},
};
use crate::{number::parse_non_negative, output::Output, usage::WrongUse};

/// Draw a random weight of the second objective for every request, or stop drawing.
#[derive(Args)]
pub(crate) struct Explore {
    /// The lower end of the range of λ (the weight is −λ · α): at least 0, above 0 for log-uniform.
    #[arg(long, required_unless_present = "stop", conflicts_with = "stop", value_name = "LAMBDA", value_parser = parse_non_negative)]
    low: Option<f64>,
    /// The upper end of the range, above the lower end.
    #[arg(long, required_unless_present = "stop", conflicts_with = "stop", value_name = "LAMBDA", value_parser = parse_non_negative)]
    high: Option<f64>,
    /// The density that λ is drawn from.
    #[arg(long, value_enum, default_value_t = Density::Uniform, conflicts_with = "stop")]
    density: Density,
    /// Explore only in this arm, as EXPERIMENT/ARM [default: all requests of the profile].
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        conflicts_with = "stop"
    )]
    arm: String,
    /// The seed of the draws. The seed and the request id decide the λ of a request; 0 chooses a
    /// new seed.
    #[arg(long, default_value_t = 0, conflicts_with = "stop")]
    seed: u64,
    /// Stop exploring.
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    change: ChangeFlags,
}

/// The density that λ is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Density {
    /// Every λ of the range is equally likely.
    Uniform,
    /// Every factor is equally likely: 0.1 to 0.2 as likely as 1 to 2.
    LogUniform,
}

impl Explore {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let exploration = self.exploration()?;
        let command = json!([
            "explore",
            self.low,
            self.high,
            exploration.as_ref().map(|own| own.density),
            self.arm,
            self.seed
        ]);
        let build = |_: &ProfileWeights| {
            Ok(ProfileChange {
                exploration: Some(ExplorationChange { exploration }),
                ..ProfileChange::default()
            })
        };
        let describe = |changed: &Changed| {
            let exploration = changed.after.exploration.as_ref();
            let words =
                exploration.map_or_else(|| "exploration is stopped".to_owned(), exploration_text);
            Ok((words, json!({})))
        };
        self.change.apply(&command, output, build, describe).await
    }

    /// The exploration to start; `None` stops it.
    fn exploration(&self) -> Result<Option<Exploration>, WrongUse> {
        let (Some(low), Some(high)) = (self.low, self.high) else {
            return Ok(None);
        };
        if low >= high {
            return Err(WrongUse(format!("--low {low} must be below --high {high}")));
        }
        if low == 0.0 && self.density == Density::LogUniform {
            return Err(WrongUse(
                "--density log-uniform needs --low above 0".to_owned(),
            ));
        }
        let density = match self.density {
            Density::Uniform => WireDensity::Uniform,
            Density::LogUniform => WireDensity::LogUniform,
        };
        Ok(Some(Exploration {
            low,
            high,
            density: density.into(),
            arm: self.arm.clone(),
            seed: self.seed,
        }))
    }
}
