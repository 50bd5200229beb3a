//! Changes one profile. The commands share their flags and steps: read the profile, build the
//! change, and write it only if nobody changed the profile meanwhile.

use clap::Args;
use counterweight_proto::{
    counterweight::v1::{
        GetRevisionRequest, GetRevisionResponse, ProfileChange, ProfileWeights, SetWeightsRequest,
    },
    to_json,
};
use serde_json::{Value, json};

use super::{
    preview_text::print_preview,
    session::{Client, Writer, connect, read_profile},
};
use crate::{
    client::{Combiner, explain_status},
    output::Output,
};

/// Which profile is changed, and under what conditions.
#[derive(Args)]
pub(super) struct ChangeFlags {
    /// The profile to change.
    #[arg(long, default_value = "default")]
    profile: String,
    /// Change only if the profile is still at this revision; 0 is the configured default
    /// [default: the revision seen when the command starts].
    #[arg(long, value_name = "REVISION")]
    expect: Option<u64>,
    /// Apply the change even if it violates the configured bounds; the history records this.
    #[arg(long)]
    force: bool,
    /// Only show what the change would do to the recent requests, as `weights preview` does;
    /// nothing is changed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

/// A change that is durable and in force.
pub(super) struct Changed {
    revision: u64,
    hash: String,
    /// The profile before the change.
    pub(super) before: ProfileWeights,
    /// The profile after the change.
    pub(super) after: ProfileWeights,
}

impl ChangeFlags {
    /// Reads the profile, writes the change that `build` returns for it, and prints the result.
    /// `describe` returns a text for people, and further keys of the JSON.
    ///
    /// `command` is the command line, by which repeats with the same idempotency key are
    /// recognised.
    ///
    /// # Errors
    /// The combiner answers ABORTED if the profile changed after it was read.
    pub(super) async fn apply(
        self,
        command: &Value,
        output: Output,
        build: impl FnOnce(&ProfileWeights) -> anyhow::Result<ProfileChange>,
        describe: impl FnOnce(&Changed) -> anyhow::Result<(String, Value)>,
    ) -> anyhow::Result<()> {
        let command = json!([command, self.profile, self.expect, self.force]);
        let mut client = connect(&self.combiner).await?;
        let before = read_profile(&mut client, &self.profile).await?;
        // Search only after the profile is read. A first call that commits before the search is
        // found here; one that commits later is found by the combiner.
        if let Some(first) = self.first_change(&mut client, &command).await? {
            let (words, more) = describe(&first)?;
            return first.print(output, &words, more);
        }
        let change = ProfileChange {
            profile: self.profile,
            expected_revision: Some(self.expect.unwrap_or(before.revision)),
            ..build(&before)?
        };
        if self.dry_run {
            return print_preview(&mut client, change, 0, output).await;
        }
        let request = SetWeightsRequest {
            changes: vec![change],
            cause: Some(self.writer.cause(&command)),
            force: self.force,
        };
        let answer = client.set_weights(request).await;
        let answer = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        let entry = answer.entry.unwrap_or_default();
        let changed = Changed {
            revision: entry.revision,
            hash: entry.hash,
            before,
            after: entry.profiles.into_iter().next().unwrap_or_default(),
        };
        let (words, more) = describe(&changed)?;
        changed.print(output, &words, more)
    }

    /// The earlier change by the same command with the same key, if there was one.
    async fn first_change(
        &self,
        client: &mut Client,
        command: &Value,
    ) -> anyhow::Result<Option<Changed>> {
        let Some(key) = self
            .writer
            .idempotency_key
            .as_ref()
            .filter(|_| !self.dry_run)
        else {
            return Ok(None);
        };
        let request = GetRevisionRequest {
            idempotency_key: key.clone(),
            intent: self.writer.intent(command),
            ..GetRevisionRequest::default()
        };
        let answer = client.get_revision(request).await;
        let found = answer
            .map_err(|status| explain_status(&status))?
            .into_inner();
        Ok(Changed::from_revision(found))
    }
}

impl Changed {
    /// The change of the one profile in an entry; `None` if there is no entry.
    fn from_revision(found: GetRevisionResponse) -> Option<Self> {
        let entry = found.entry?;
        Some(Self {
            revision: entry.revision,
            hash: entry.hash,
            before: found.before.into_iter().next().unwrap_or_default(),
            after: entry.profiles.into_iter().next().unwrap_or_default(),
        })
    }

    fn print(&self, output: Output, words: &str, more: Value) -> anyhow::Result<()> {
        let mut value = json!({
            "revision": self.revision,
            "hash": self.hash,
            "before": to_json(&self.before)?,
            "profiles": [to_json(&self.after)?],
        });
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.extend(more);
        }
        output.print(&value, |_| {
            let stopped = match (&self.before.ramp, &self.after.ramp) {
                (Some(_), None) => "\nthe running ramp is stopped at its current step",
                _ => "",
            };
            format!(
                "revision {} is applied: {words}{stopped}\nhash {}",
                self.revision, self.hash
            )
        })
    }
}
