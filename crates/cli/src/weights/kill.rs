//! `weights kill`: applies the configured safe weights at once.

use clap::Args;
use counterweight_proto::{counterweight::v1::KillWeightsRequest, to_json};
use serde_json::json;

use super::{
    session::{Writer, connect},
    text::{local_kill_text, written_entry},
};
use crate::{
    client::{Combiner, explain_status},
    output::{Output, escape},
};

/// Apply the configured safe weights at once; this stops every running ramp of these profiles.
#[derive(Args)]
pub(crate) struct Kill {
    /// Change only this profile [default: every profile that has safe weights].
    #[arg(long)]
    profile: Option<String>,
    /// Change only the combiner at --address, while it cannot reach the weights store. This local
    /// kill survives a restart, and ends when the combiner reaches the store again.
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl Kill {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let command = match self.local {
            true => json!(["kill", self.profile, "local"]),
            false => json!(["kill", self.profile]),
        };
        let mut client = connect(&self.combiner).await?;
        let request = KillWeightsRequest {
            profile: self.profile.unwrap_or_default(),
            cause: Some(self.writer.cause(&command)),
            local: self.local,
        };
        let answer = client.kill_weights(request).await;
        let answer = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let (mut value, done) = match &answer.local_kill {
            Some(kill) => (to_json(kill)?, local_kill_text(kill)),
            None => {
                let entry = answer.entry.unwrap_or_default();
                (to_json(&entry)?, written_entry(&entry))
            }
        };
        value["without_safe_set"] = json!(answer.without_safe_set);
        output.print(&value, |_| {
            let mut text = done;
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
