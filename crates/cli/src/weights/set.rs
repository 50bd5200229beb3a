//! `weights set`: replaces weights, or confirms them for models that were replaced.

use clap::Args;
use counterweight_proto::counterweight::v1::ProfileChange;

use serde_json::json;

use super::{
    assignment,
    change::{Change, Changed},
    named,
    show::changes,
};
use crate::output::Output;

/// Replace weights; durable and applied when the command returns. A ramp that runs there is stopped by it.
#[derive(Args)]
pub(crate) struct Set {
    /// New weights, as OBJECTIVE=WEIGHT; `alpha=` and `beta=` (or `α=`, `β=`) name the first two objectives. Objectives that are not named keep their weight.
    #[arg(required_unless_present = "confirm_models", value_name = "OBJECTIVE=WEIGHT", value_parser = assignment)]
    weights: Vec<(String, f64)>,
    /// Bind all weights to the models that are served now: they are confirmed for models that were replaced.
    #[arg(long)]
    confirm_models: bool,
    #[command(flatten)]
    change: Change,
}

impl Set {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let begun = self.change.begin().await?;
        let change = ProfileChange {
            weights: named(&self.weights, &begun.before)?,
            confirm_models: self.confirm_models,
            ..ProfileChange::default()
        };
        let say = |changed: &Changed| {
            let words = changes(&changed.before.weights, &changed.after.weights);
            Ok((words, json!({})))
        };
        begun.apply(change, output, say).await
    }
}
