//! `weights skip-entry`: steps over an entry that cannot be read and blocks the log.

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

/// Step over an entry of a log in NATS that cannot be read and blocks every change.
///
/// The log gets an entry that names the skipped one and its hash, so that every combiner skips the
/// same; `weights verify` reports it. `weights get` names the entry that blocks. Look at it first:
/// whatever it was meant to change does not take effect.
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
