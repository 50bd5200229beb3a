//! `weights explore`: the second objective's weight is drawn for every request, so that a log tells what other weights bring.

use clap::{Args, ValueEnum};
use counterweight_proto::counterweight::v1::{
    Density as Wire, Exploration, ExplorationChange, ProfileChange,
};

use serde_json::json;

use super::{
    audience::exploration_text,
    change::{Change, Changed},
};
use crate::{WrongUse, output::Output};

/// Draw the second objective's weight anew for every request; or stop drawing.
#[derive(Args)]
pub(crate) struct Explore {
    /// Lower end of the range of λ: at least 0, and above 0 for log-uniform.
    #[arg(long, required_unless_present = "stop", conflicts_with = "stop", value_name = "LAMBDA", value_parser = lambda)]
    low: Option<f64>,
    /// Upper end of the range, above the lower one.
    #[arg(long, required_unless_present = "stop", conflicts_with = "stop", value_name = "LAMBDA", value_parser = lambda)]
    high: Option<f64>,
    /// How λ is spread over the range.
    #[arg(long, value_enum, default_value_t = Density::Uniform, conflicts_with = "stop")]
    density: Density,
    /// Only requests in this arm explore, as EXPERIMENT/ARM [default: all requests of the profile].
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        conflicts_with = "stop"
    )]
    arm: String,
    /// What the draws follow from, with the request's id; 0 makes one.
    #[arg(long, default_value_t = 0, conflicts_with = "stop")]
    seed: u64,
    /// Draw no longer.
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    change: Change,
}

/// How λ is spread over its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Density {
    /// Every λ of the range is as likely.
    Uniform,
    /// Every factor is as likely: from 0.1 to 0.2 as from 1 to 2.
    LogUniform,
}

fn lambda(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(lambda) if (0.0..f64::INFINITY).contains(&lambda) => Ok(lambda),
        _ => Err("give a number of at least 0".to_owned()),
    }
}

impl Explore {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let exploration = self.exploration()?;
        let begun = self.change.begin().await?;
        let change = ProfileChange {
            exploration: Some(ExplorationChange { exploration }),
            ..ProfileChange::default()
        };
        let say = |changed: &Changed| {
            let exploration = changed.after.exploration.as_ref();
            let words =
                exploration.map_or_else(|| "λ is no longer drawn".to_owned(), exploration_text);
            Ok((words, json!({})))
        };
        begun.apply(change, output, say).await
    }

    /// What is asked for; none ends it.
    fn exploration(&self) -> Result<Option<Exploration>, WrongUse> {
        let (Some(low), Some(high)) = (self.low, self.high) else {
            return Ok(None);
        };
        if low >= high {
            return Err(WrongUse(format!("--low {low} is not below --high {high}")));
        }
        if low == 0.0 && self.density == Density::LogUniform {
            return Err(WrongUse(
                "--density log-uniform needs --low above 0: no factor leads away from 0".to_owned(),
            ));
        }
        let density = match self.density {
            Density::Uniform => Wire::Uniform,
            Density::LogUniform => Wire::LogUniform,
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
