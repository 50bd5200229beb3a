//! `weights set`: replaces weights, or confirms them for models that were replaced.

use clap::Args;
use counterweight_proto::counterweight::v1::{ProfileChange, ProfileWeights};
use serde_json::json;

use super::{
    change::{ChangeFlags, Changed},
    session::resolve_weights,
    text::weight_changes,
};
use crate::{number::parse_weight, output::Output};

/// Replace weights.
///
/// The change is durable and in force when the command returns. It stops a running ramp.
#[derive(Args)]
pub(crate) struct Set {
    /// New weights, as OBJECTIVE=WEIGHT; `alpha=` and `beta=` (or `α=`, `β=`) name the first two
    /// objectives. Objectives that are not named keep their weight.
    #[arg(required_unless_present = "confirm_models", value_name = "OBJECTIVE=WEIGHT", value_parser = parse_weight)]
    weights: Vec<(String, f64)>,
    /// Confirm all weights for the models that are served now, after a model was replaced.
    #[arg(long)]
    confirm_models: bool,
    #[command(flatten)]
    change: ChangeFlags,
}

impl Set {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let command = json!(["set", self.weights, self.confirm_models]);
        let build = |before: &ProfileWeights| {
            Ok(ProfileChange {
                weights: resolve_weights(&self.weights, before)?,
                confirm_models: self.confirm_models,
                ..ProfileChange::default()
            })
        };
        let describe = |changed: &Changed| {
            let words = weight_changes(&changed.before.weights, &changed.after.weights);
            Ok((words, json!({})))
        };
        self.change.apply(&command, output, build, describe).await
    }
}
