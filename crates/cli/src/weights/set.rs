//! `weights set`: replaces weights, or confirms them for models that were replaced.

use clap::Args;
use counterweight_proto::counterweight::v1::{ProfileChange, SetWeightsRequest};
use serde_json::json;

use super::{
    Writer, assignment, connect, current, named,
    show::{changes, profile_json},
};
use crate::{
    client::{Combiner, explain},
    output::Output,
};

/// Replace weights; durable and applied when the command returns. A ramp that runs there is stopped by it.
#[derive(Args)]
pub(crate) struct Set {
    /// New weights, as OBJECTIVE=WEIGHT; `alpha=` and `beta=` (or `α=`, `β=`) name the first two objectives. Objectives that are not named keep their weight.
    #[arg(required_unless_present = "confirm_models", value_name = "OBJECTIVE=WEIGHT", value_parser = assignment)]
    weights: Vec<(String, f64)>,
    /// The profile to change.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    /// Change only if the profile is still at this revision; 0 is the configured default [default: the revision seen when the command starts].
    #[arg(long, env = "COUNTERWEIGHT_EXPECT", value_name = "REVISION")]
    expect: Option<u64>,
    /// Bind all weights to the models that are served now: they are confirmed for models that were replaced.
    #[arg(long)]
    confirm_models: bool,
    /// Pass the bounds; the history says so.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl Set {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let before = current(&mut client, &self.profile).await?;
        let cause = self.writer.cause();
        let request = SetWeightsRequest {
            changes: vec![ProfileChange {
                profile: self.profile,
                weights: named(&self.weights, &before)?,
                expected_revision: Some(self.expect.unwrap_or(before.revision)),
                confirm_models: self.confirm_models,
                ..ProfileChange::default()
            }],
            author: cause.author,
            reason: cause.reason,
            idempotency_key: cause.idempotency_key,
            force: self.force,
        };
        let answer = client
            .set_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let value = json!({
            "revision": answer.revision,
            "hash": answer.hash,
            "before": profile_json(&before),
            "profiles": answer.profiles.iter().map(profile_json).collect::<Vec<_>>(),
        });
        output.print(&value, |_| {
            let change = answer
                .profiles
                .first()
                .map(|after| changes(&before, after))
                .unwrap_or_default();
            format!(
                "revision {} is applied: {change}\nhash {}",
                answer.revision, answer.hash
            )
        })
    }
}
