//! `log status`: counts what the folder of a log holds.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use counterweight_journal::{Contents, Kind};
use serde_json::json;

use crate::output::Output;

/// Count what the folder of a log holds.
#[derive(Args)]
pub(crate) struct Status {
    /// The folder of the log: `path` in [request_log] or [feedback] of the combiner's configuration.
    #[arg(value_name = "DIR")]
    log: PathBuf,
}

impl Status {
    /// Exit code 1 when a file is damaged.
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        if !self.log.is_dir() {
            bail!(
                "{} is not a folder; name the folder of a log",
                self.log.display()
            );
        }
        // A log has records of one kind.
        let mut contents = Contents::read(&self.log, Kind::Requests)?;
        if contents == Contents::default() {
            contents = Contents::read(&self.log, Kind::Events)?;
        }
        let problems: Vec<_> = contents
            .problems
            .iter()
            .map(|(path, problem)| json!({ "file": path, "problem": problem }))
            .collect();
        let value = json!({
            "log": self.log,
            "parts": contents.parts,
            "rows": contents.rows,
            "bytes": contents.bytes,
            "oldest": contents.oldest,
            "newest": contents.newest,
            "segments": contents.segments,
            "records": contents.records,
            "segment_bytes": contents.segment_bytes,
            "problems": problems,
        });
        output.print(&value, |_| Self::summary(&self.log, &contents))?;
        match contents.problems.len() {
            0 => Ok(()),
            count => bail!("{count} files of the log are damaged; restore them, or move them away"),
        }
    }

    fn summary(log: &Path, contents: &Contents) -> String {
        let mut text = format!(
            "{}: {} parts with {} rows, {} bytes",
            log.display(),
            contents.parts,
            contents.rows,
            contents.bytes
        );
        if let (Some(oldest), Some(newest)) = (&contents.oldest, &contents.newest) {
            text.push_str(&format!("\nhours: {oldest} to {newest} (UTC)"));
        }
        text.push_str(&format!(
            "\nin no part yet: {} records in {} write-ahead segments, {} bytes",
            contents.records, contents.segments, contents.segment_bytes
        ));
        for (path, problem) in &contents.problems {
            text.push_str(&format!("\ndamaged: {}: {problem}", path.display()));
        }
        text
    }
}
