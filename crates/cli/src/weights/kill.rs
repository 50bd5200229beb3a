//! `weights kill`: the configured safe weights, at once.

use clap::Args;
use counterweight_proto::{counterweight::v1::KillWeightsRequest, to_json};
use serde_json::json;

use super::{
    session::{Writer, connect},
    text::written_entry,
};
use crate::{
    client::{Combiner, explain_status},
    output::{Output, escape},
};

/// Apply the configured safe weights at once; this stops every ramp that is running there.
#[derive(Args)]
pub(crate) struct Kill {
    /// Only this profile [default: every profile that has safe weights].
    #[arg(long)]
    profile: Option<String>,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl Kill {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let command = json!(["kill", self.profile]);
        let mut client = connect(&self.combiner).await?;
        let request = KillWeightsRequest {
            profile: self.profile.unwrap_or_default(),
            cause: Some(self.writer.cause(&command)),
        };
        let answer = client.kill_weights(request).await;
        let answer = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let entry = answer.entry.unwrap_or_default();
        let mut value = to_json(&entry)?;
        value["without_safe_set"] = json!(answer.without_safe_set);
        output.print(&value, |_| {
            let mut text = written_entry(&entry);
            if !answer.without_safe_set.is_empty() {
                text.push_str(&format!(
                    "\nnot changed, because they have no safe weights: {}",
                    escape(&answer.without_safe_set.join(", "))
                ));
            }
            text
        })
    }
}
