//! `weights kill`: the declared safe weights, at once.

use clap::Args;
use counterweight_proto::counterweight::v1::KillWeightsRequest;
use serde_json::json;

use super::{
    Writer, connect,
    show::{entry_json, written},
};
use crate::{
    client::{Combiner, explain},
    output::Output,
};

/// Put the declared safe weights in force at once, whatever ramp runs.
#[derive(Args)]
pub(crate) struct Kill {
    /// Only this profile [default: every profile that declares a safe set].
    #[arg(long, env = "COUNTERWEIGHT_PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl Kill {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let request = KillWeightsRequest {
            profile: self.profile.unwrap_or_default(),
            cause: Some(self.writer.cause()),
        };
        let answer = client
            .kill_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let entry = answer.entry.unwrap_or_default();
        let mut value = entry_json(&entry);
        value["without_safe_set"] = json!(answer.without_safe_set);
        output.print(&value, |_| {
            let mut text = written(&entry);
            if !answer.without_safe_set.is_empty() {
                text.push_str(&format!(
                    "\nleft as they are, since they declare no safe set: {}",
                    answer.without_safe_set.join(", ")
                ));
            }
            text
        })
    }
}
