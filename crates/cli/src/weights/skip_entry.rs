//! `weights skip-entry`: skips an entry that cannot be read and blocks the weights log.

use clap::Args;
use counterweight_proto::{counterweight::v1::SkipEntryRequest, to_json};
use serde_json::json;

use super::{
    session::{Writer, connect},
    text::written_entry,
};
use crate::{
    client::{Combiner, explain_status},
    output::Output,
};

/// Skip an entry of a weights log in NATS that cannot be read and blocks every change.
///
/// The command appends an entry that names the skipped entry and its hash, so that every combiner
/// skips the same entry; `weights verify` reports it. `weights get` shows which entry blocks the
/// log. Inspect that entry first: its change will not take effect.
#[derive(Args)]
pub(crate) struct SkipEntry {
    /// The revision that cannot be read: its sequence number in the stream.
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    sequence: u64,
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    combiner: Combiner,
}

impl SkipEntry {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let command = json!(["skip-entry", self.sequence]);
        let mut client = connect(&self.combiner).await?;
        let request = SkipEntryRequest {
            revision: self.sequence,
            cause: Some(self.writer.cause(&command)),
        };
        let answer = client.skip_entry(request).await;
        let answer = answer.map_err(|status| explain_status(&status))?;
        let entry = answer.into_inner().entry.unwrap_or_default();
        output.print(&to_json(&entry)?, |_| written_entry(&entry))
    }
}
