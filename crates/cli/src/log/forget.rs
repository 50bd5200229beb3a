//! `log forget`: removes a person or a post from logs.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use counterweight_join::forget_labels;
use counterweight_journal::{Clock as _, Forgotten, SystemClock, UnitRule, Units};
use serde_json::json;

use crate::{data::labelled, output::Output};

/// Forget a person or a post.
#[derive(Args)]
pub(crate) struct Forget {
    /// Units to forget, as the caller of the combiner names them.
    #[arg(long, value_name = "ID", num_args = 1.., required_unless_present = "candidate")]
    unit: Vec<String>,
    /// Candidates to forget. Their rankings keep the numbers, and lose the name and the features.
    #[arg(long, value_name = "ID", num_args = 1..)]
    candidate: Vec<String>,
    /// Folders of request logs and event logs.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    logs: Vec<PathBuf>,
    /// Folders of labelled logs, which are rewritten at once.
    #[arg(long, value_name = "DIR", num_args = 1.., required_unless_present = "logs")]
    labelled: Vec<PathBuf>,
    /// The keys by which the logs hash units, old ones too [default: the names of the logs with .key,
    /// where these exist].
    #[arg(long, value_name = "FILE", num_args = 1..)]
    unit_key: Vec<PathBuf>,
    /// The logs have units as the caller names them, without a hash.
    #[arg(long, conflicts_with = "unit_key")]
    raw_units: bool,
}

impl Forget {
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        for log in &self.logs {
            let has = |name: &str| log.join(name).is_dir();
            if !["requests", "events", "wal"].into_iter().any(has) {
                bail!(
                    "{} is not the folder of a request log or of an event log",
                    log.display()
                );
            }
        }
        for log in &self.labelled {
            labelled(log)?;
        }
        if self
            .unit
            .iter()
            .chain(&self.candidate)
            .any(String::is_empty)
        {
            bail!("an id is empty; name what must be forgotten");
        }
        let until_ms = SystemClock.now_ms();
        let mut forgotten = Forgotten::default();
        for unit in &self.unit {
            for form in self.forms(unit)? {
                forgotten.units.insert(form, until_ms);
            }
        }
        forgotten.candidates = self
            .candidate
            .iter()
            .map(|candidate| (candidate.clone(), until_ms))
            .collect();
        for log in &self.logs {
            Forgotten::update(log, |all| all.extend(&forgotten))?;
        }
        let mut rows = BTreeMap::new();
        for log in &self.labelled {
            rows.insert(log.display().to_string(), forget_labels(log, &forgotten)?);
        }
        let value = json!({ "logs": self.logs, "labelled_rows": rows });
        output.print(&value, |_| {
            let mut text: Vec<String> = self
                .logs
                .iter()
                .map(|log| {
                    let log = log.display();
                    format!("{log}: forgotten for every reader; `counterweight log compact {log}` removes it from the parts, once their hour is over")
                })
                .collect();
            let labelled = rows.iter();
            text.extend(labelled.map(|(log, rows)| format!("{log}: {rows} rows were removed or lost their candidate")));
            text.join("\n")
        })
    }

    /// The forms in which the logs may have a unit.
    fn forms(&self, unit: &str) -> anyhow::Result<Vec<String>> {
        if self.raw_units {
            return Ok(vec![unit.to_owned()]);
        }
        let mut keys = self.unit_key.clone();
        if keys.is_empty() {
            let beside = self.logs.iter().map(|log| UnitRule::keyed_beside(log));
            keys.extend(beside.filter_map(|rule| match rule {
                UnitRule::KeyedHash(key) if key.is_file() => Some(key),
                _ => None,
            }));
        }
        if keys.is_empty() {
            bail!(
                "there is no key beside the logs: give the file `unit_key` of [request_log] as --unit-key, or --raw-units where the logs do not hash units"
            );
        }
        keys.iter().map(|key| hash(key, unit)).collect()
    }
}

fn hash(key: &Path, unit: &str) -> anyhow::Result<String> {
    // `Units` would make a key that does not exist.
    if !key.is_file() {
        bail!("{} is not a file; name the key of the units", key.display());
    }
    Units::new(UnitRule::KeyedHash(key.to_owned()))
        .logged(unit)
        .with_context(|| format!("{} is not a key of 64 hexadecimal digits", key.display()))
}
