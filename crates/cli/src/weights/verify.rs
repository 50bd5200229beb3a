//! `weights verify`: checks the whole log, on a running system or in a file.

use std::path::PathBuf;

use clap::Args;
use counterweight_combiner::verify_log;
use counterweight_proto::counterweight::v1::VerifyWeightsRequest;
use serde_json::json;

use super::connect;
use crate::{
    client::{Combiner, explain},
    output::Output,
};

/// Check that every entry of the log is as it was written and follows the one before it; the first broken one is named.
#[derive(Args)]
pub(crate) struct Verify {
    /// The hash of an entry that was noted elsewhere: the log must hold it, so it was not cut off or written anew.
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// Check this file of an embedded log, without a running system.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    combiner: Combiner,
}

/// What the check found, wherever it was made.
struct Found {
    entries: u64,
    head: String,
    broken_revision: u64,
    problem: String,
    head_revision: u64,
    unfinished_bytes: usize,
}

impl Verify {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let found = self.found().await?;
        let value = json!({
            "ok": found.problem.is_empty(),
            "entries": found.entries,
            "head": found.head,
            "head_revision": (found.head_revision > 0).then_some(found.head_revision),
            "broken_revision": (found.broken_revision > 0).then_some(found.broken_revision),
            "problem": found.problem,
            "unfinished_bytes": found.unfinished_bytes,
        });
        output.print(&value, |_| found.text())?;
        if found.problem.is_empty() {
            Ok(())
        } else if found.broken_revision > 0 {
            anyhow::bail!(
                "revision {} is broken: {}",
                found.broken_revision,
                found.problem
            )
        } else {
            anyhow::bail!("{}", found.problem)
        }
    }

    async fn found(self) -> anyhow::Result<Found> {
        let head = self.head.unwrap_or_default().to_ascii_lowercase();
        if let Some(log) = self.log {
            let verified = verify_log(&log, &head)?;
            return Ok(Found {
                problem: verified.problem(&head).unwrap_or_default(),
                entries: verified.entries,
                head: verified.head,
                broken_revision: verified.broken.map_or(0, |(revision, _)| revision),
                head_revision: verified.found.unwrap_or(0),
                unfinished_bytes: verified.unfinished,
            });
        }
        let mut client = connect(&self.combiner).await?;
        let answer = client
            .verify_weights(VerifyWeightsRequest { head })
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        Ok(Found {
            entries: answer.entries,
            head: answer.head,
            broken_revision: answer.broken_revision,
            problem: answer.problem,
            head_revision: answer.head_revision,
            unfinished_bytes: 0,
        })
    }
}

impl Found {
    fn text(&self) -> String {
        let mut text = format!(
            "{} entries are as they were written\nhead {}",
            self.entries, self.head
        );
        if self.head_revision > 0 {
            text.push_str(&format!(
                "\nthe hash asked for is revision {}",
                self.head_revision
            ));
        }
        if self.unfinished_bytes > 0 {
            text.push_str(&format!(
                "\n{} bytes after them are a write that was never finished, and so never acknowledged",
                self.unfinished_bytes
            ));
        }
        text
    }
}
