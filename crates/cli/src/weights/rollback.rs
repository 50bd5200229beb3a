//! `weights rollback`: restores the weights of an earlier revision.

use clap::Args;
use counterweight_proto::counterweight::v1::{ProfileAt, RollbackWeightsRequest};

use super::{
    Writer, connect, current,
    show::{entry_json, written},
};
use crate::{
    client::{Combiner, explain},
    output::Output,
};

/// Restore the weights of an earlier revision, in a new one. A ramp that runs there is stopped by it.
#[derive(Args)]
pub(crate) struct Rollback {
    /// The revision whose weights to restore, as they were in force after it; 0 is the configured defaults.
    revision: u64,
    /// The profiles to restore, all in one entry.
    #[arg(
        long,
        env = "COUNTERWEIGHT_PROFILE",
        default_value = "default",
        value_delimiter = ','
    )]
    profile: Vec<String>,
    /// Pass the bounds; the history says so.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl Rollback {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = connect(&self.combiner).await?;
        let mut profiles = Vec::with_capacity(self.profile.len());
        for profile in self.profile {
            let seen = current(&mut client, &profile).await?;
            profiles.push(ProfileAt {
                profile,
                expected_revision: Some(seen.revision),
            });
        }
        let request = RollbackWeightsRequest {
            revision: self.revision,
            profiles,
            cause: Some(self.writer.cause()),
            force: self.force,
        };
        let answer = client
            .rollback_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let entry = answer.entry.unwrap_or_default();
        output.print(&entry_json(&entry), |_| written(&entry))
    }
}
