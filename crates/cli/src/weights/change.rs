//! What every change of one profile takes on the command line, and how it is sent: read, change, write under compare-and-set; or only previewed.

use clap::Args;
use counterweight_proto::counterweight::v1::{ProfileChange, ProfileWeights, SetWeightsRequest};
use serde_json::{Value, json};

use super::{Client, Writer, connect, current, previewed::preview, show::profile_json};
use crate::{
    client::{Combiner, explain},
    output::Output,
};

/// Which profile is changed, and under what conditions.
#[derive(Args)]
pub(super) struct Change {
    /// The profile to change.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    /// Change only if the profile is still at this revision; 0 is the configured default [default: the revision seen when the command starts].
    #[arg(long, env = "COUNTERWEIGHT_EXPECT", value_name = "REVISION")]
    expect: Option<u64>,
    /// Pass the bounds; the history says so.
    #[arg(long)]
    force: bool,
    /// Only show what it would do to the recent requests, as `weights preview` does; nothing is changed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

/// A profile as it was seen, and who is about to change it.
pub(super) struct Begun {
    client: Client,
    change: Change,
    /// The profile before the change.
    pub(super) before: ProfileWeights,
}

/// A change that is durable and in force.
pub(super) struct Changed {
    revision: u64,
    hash: String,
    pub(super) before: ProfileWeights,
    /// The profile after the change.
    pub(super) after: ProfileWeights,
}

impl Change {
    /// Reads the profile as it stands.
    pub(super) async fn begin(self) -> anyhow::Result<Begun> {
        let mut client = connect(&self.combiner).await?;
        let before = current(&mut client, &self.profile).await?;
        Ok(Begun {
            client,
            change: self,
            before,
        })
    }
}

impl Begun {
    /// Makes the change and prints what was done, as `say` tells it: in words for people, and as further keys of the JSON. A change by someone
    /// else since the profile was read is ABORTED.
    pub(super) async fn apply(
        mut self,
        change: ProfileChange,
        output: Output,
        say: impl FnOnce(&Changed) -> anyhow::Result<(String, Value)>,
    ) -> anyhow::Result<()> {
        let change = ProfileChange {
            profile: self.change.profile,
            expected_revision: Some(self.change.expect.unwrap_or(self.before.revision)),
            ..change
        };
        if self.change.dry_run {
            return preview(&mut self.client, change, 0, output).await;
        }
        let cause = self.change.writer.cause();
        let request = SetWeightsRequest {
            changes: vec![change],
            author: cause.author,
            reason: cause.reason,
            idempotency_key: cause.idempotency_key,
            force: self.change.force,
        };
        let answer = self
            .client
            .set_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let changed = Changed {
            revision: answer.revision,
            hash: answer.hash,
            before: self.before,
            after: answer.profiles.into_iter().next().unwrap_or_default(),
        };
        let (words, more) = say(&changed)?;
        changed.print(output, &words, more)
    }
}

impl Changed {
    fn print(&self, output: Output, words: &str, more: Value) -> anyhow::Result<()> {
        let mut value = json!({
            "revision": self.revision,
            "hash": self.hash,
            "before": profile_json(&self.before),
            "profiles": [profile_json(&self.after)],
        });
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.extend(more);
        }
        output.print(&value, |_| {
            let stopped = match (&self.before.ramp, &self.after.ramp) {
                (Some(_), None) => "\nthe ramp that ran here is stopped where it was",
                _ => "",
            };
            format!(
                "revision {} is applied: {words}{stopped}\nhash {}",
                self.revision, self.hash
            )
        })
    }
}
