//! `log verify`: reads everything that a log has.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use counterweight_join::Verified;
use serde_json::json;

use crate::output::Output;

/// Read everything that a log has.
#[derive(Args)]
pub(crate) struct Verify {
    /// The folder of a request log, of an event log, or of a labelled log.
    #[arg(value_name = "DIR")]
    log: PathBuf,
}

impl Verify {
    /// Exit code 1 when a file cannot be read.
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        if !self.log.is_dir() {
            bail!(
                "{} is not a folder; name the folder of a log",
                self.log.display()
            );
        }
        let verified = Verified::read(&self.log)?;
        let problems: Vec<_> = verified
            .problems
            .iter()
            .map(|(path, problem)| json!({ "file": path, "problem": problem }))
            .collect();
        let value = json!({
            "log": self.log,
            "files": verified.files,
            "rows": verified.rows,
            "records": verified.records,
            "problems": problems,
        });
        output.print(&value, |_| {
            let mut text = format!(
                "{}: read all {} rows of {} files",
                self.log.display(),
                verified.rows,
                verified.files
            );
            if verified.records > 0 {
                text.push_str(&format!(
                    ", and {} records that are in no part yet",
                    verified.records
                ));
            }
            for (path, problem) in &verified.problems {
                text.push_str(&format!("\nproblem: {}: {problem}", path.display()));
            }
            text
        })?;
        match verified.problems.len() {
            0 => Ok(()),
            count => bail!("{count} files cannot be read; restore them, or move them away"),
        }
    }
}
