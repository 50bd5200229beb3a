//! `weights rollback`: restores the weights of an earlier revision.

use clap::Args;
use counterweight_proto::{
    counterweight::v1::{ProfileRevision, RollbackWeightsRequest},
    to_json,
};
use serde_json::json;

use super::{
    session::{Writer, connect, read_profile},
    text::written_entry,
};
use crate::{
    client::{Combiner, explain_status},
    output::Output,
};

/// Restore the weights of an earlier revision, as a new revision.
///
/// This stops a running ramp.
#[derive(Args)]
pub(crate) struct Rollback {
    /// The revision to restore: the weights that were in force after it; 0 is the configured
    /// default.
    revision: u64,
    /// The profiles to restore, all in one new revision.
    #[arg(long, default_value = "default", value_delimiter = ',')]
    profile: Vec<String>,
    /// Restore the weights even if they violate the configured bounds; the history records this.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl Rollback {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let command = json!(["rollback", self.revision, self.profile, self.force]);
        let mut client = connect(&self.combiner).await?;
        let mut profiles = Vec::with_capacity(self.profile.len());
        for profile in self.profile {
            let before = read_profile(&mut client, &profile).await?;
            profiles.push(ProfileRevision {
                profile,
                expected_revision: Some(before.revision),
            });
        }
        let request = RollbackWeightsRequest {
            revision: self.revision,
            profiles,
            cause: Some(self.writer.cause(&command)),
            force: self.force,
        };
        let answer = client.rollback_weights(request).await;
        let answer = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let entry = answer.entry.unwrap_or_default();
        output.print(&to_json(&entry)?, |_| written_entry(&entry))
    }
}
