//! `weights verify`: checks the whole weights log, on a running system or in a file.

use std::path::PathBuf;

use clap::Args;
use counterweight_combiner::verify_log;
use counterweight_proto::counterweight::v1::VerifyWeightsRequest;
use serde_json::json;

use super::session::connect;
use crate::{
    client::{Combiner, explain_status},
    output::{Output, escape},
};

/// Check that every entry of the weights log is unchanged and follows the entry before it; report
/// the first that is not.
#[derive(Args)]
pub(crate) struct Verify {
    /// The hash of an entry that you noted elsewhere. If the log contains it, the log was neither
    /// cut off before that entry nor replaced.
    #[arg(long, value_name = "HASH")]
    expected_hash: Option<String>,
    /// Check this file of an embedded weights store instead of a running system.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    combiner: Combiner,
}

/// The result of a check, of a running system or of a file.
struct LogCheck {
    entries: u64,
    last_hash: String,
    broken_revision: u64,
    problem: String,
    expected_hash_revision: u64,
    unfinished_bytes: usize,
    skipped_revisions: Vec<u64>,
}

impl Verify {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let check = self.check().await?;
        let value = json!({
            "ok": check.problem.is_empty(),
            "entries": check.entries,
            "last_hash": check.last_hash,
            "expected_hash_revision": (check.expected_hash_revision > 0).then_some(check.expected_hash_revision),
            "broken_revision": (check.broken_revision > 0).then_some(check.broken_revision),
            "problem": check.problem,
            "unfinished_bytes": check.unfinished_bytes,
            "skipped_revisions": check.skipped_revisions,
        });
        output.print(&value, |_| check.text())?;
        if check.problem.is_empty() {
            Ok(())
        } else if check.broken_revision > 0 {
            anyhow::bail!(
                "revision {} is broken: {}",
                check.broken_revision,
                check.problem
            )
        } else {
            anyhow::bail!("{}", check.problem)
        }
    }

    async fn check(self) -> anyhow::Result<LogCheck> {
        let expected_hash = self.expected_hash.unwrap_or_default().to_ascii_lowercase();
        if let Some(log) = self.log {
            let verified = verify_log(&log, &expected_hash)?;
            return Ok(LogCheck {
                problem: verified.problem(&expected_hash).unwrap_or_default(),
                entries: verified.entries,
                last_hash: verified.last_hash,
                broken_revision: verified.broken.map_or(0, |(revision, _)| revision),
                expected_hash_revision: verified.found.unwrap_or(0),
                unfinished_bytes: verified.unfinished,
                skipped_revisions: verified.skipped,
            });
        }
        let mut client = connect(&self.combiner).await?;
        let answer = client
            .verify_weights(VerifyWeightsRequest { expected_hash })
            .await
            .map_err(|status| explain_status(&status))?
            .into_inner();
        Ok(LogCheck {
            entries: answer.entries,
            last_hash: answer.last_hash,
            broken_revision: answer.broken_revision,
            problem: answer.problem,
            expected_hash_revision: answer.expected_hash_revision,
            unfinished_bytes: 0,
            skipped_revisions: answer.skipped_revisions,
        })
    }
}

impl LogCheck {
    fn text(&self) -> String {
        let mut text = format!(
            "{} entries are unchanged\nlast hash {}",
            self.entries,
            escape(&self.last_hash)
        );
        if self.expected_hash_revision > 0 {
            text.push_str(&format!(
                "\n--expected-hash is the hash of revision {}",
                self.expected_hash_revision
            ));
        }
        if !self.skipped_revisions.is_empty() {
            let skipped = self.skipped_revisions.iter();
            let revisions: Vec<String> = skipped.map(u64::to_string).collect();
            text.push_str(&format!(
                "\nrevisions that cannot be read and that a later entry skips: {}",
                revisions.join(", ")
            ));
        }
        if self.unfinished_bytes > 0 {
            text.push_str(&format!(
                "\nthe {} bytes after them are an unfinished write, which was not acknowledged",
                self.unfinished_bytes
            ));
        }
        text
    }
}
