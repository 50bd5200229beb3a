//! `log compact`: rewrites the parts of a log.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use counterweight_join::compact;
use counterweight_journal::{Clock as _, Kind, SystemClock};
use serde_json::json;

use crate::output::Output;

/// Rewrite the parts of a log.
#[derive(Args)]
pub(crate) struct Compact {
    /// The folder of a request log or of an event log.
    #[arg(value_name = "DIR")]
    log: PathBuf,
}

impl Compact {
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        let kinds = [Kind::Requests, Kind::Events];
        let kind = kinds
            .into_iter()
            .find(|kind| self.log.join(kind.name()).is_dir());
        let Some(kind) = kind else {
            bail!(
                "{} has no parts; name the folder of a log",
                self.log.display()
            );
        };
        let compacted = compact(&self.log, kind, SystemClock.now_ms())?;
        let value = json!({ "log": self.log, "compacted": compacted });
        output.print(&value, |_| {
            let mut text = format!(
                "{}: {} parts became {}",
                self.log.display(),
                compacted.replaced,
                compacted.written
            );
            if compacted.forgotten_rows > 0 {
                text.push_str(&format!("\nforgotten: {} rows", compacted.forgotten_rows));
            }
            if compacted.forgotten > 0 {
                text.push_str(&format!(
                    "\n{} ids are nowhere in the log any more",
                    compacted.forgotten
                ));
            }
            if compacted.waiting > 0 {
                text.push_str(&format!(
                    "\n{} ids may still be in hours that are not over, or not in parts yet; compact again in an hour",
                    compacted.waiting
                ));
            }
            text
        })
    }
}
