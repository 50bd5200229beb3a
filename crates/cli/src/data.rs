//! `counterweight data`: describes a dataset, writes a first description, generates a simulated log, or
//! plays its users.

mod simulate_users;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use counterweight_dataset::{Dataset, MANIFEST, describe, init};
use counterweight_files::write_file;
use counterweight_simulator::{Config, simulate};
use serde_json::json;

use self::simulate_users::SimulateUsers;
use crate::{
    output::{Output, table},
    progress,
};

/// Describe a dataset, write a first description, generate a simulated log, or play its users.
#[derive(Subcommand)]
pub(crate) enum Data {
    /// Describe a dataset: rows, label rates, missing and distinct values, and sizes of the parts.
    Describe(DatasetFile),
    /// Write a first dataset file for a labelled log, or for any file of rows.
    Init(Init),
    /// Generate the log of a simulated feed, and write its true probabilities to a separate file.
    Generate(Generate),
    /// Let simulated users visit a running combiner, and send what they do.
    ///
    /// Each visit is a request of 20 to 30 candidates, which the combiner ranks. The first ten are
    /// shown to the user, who sees every one, and may engage with it or report it as engagement bait:
    /// that is drawn from the law in data/README.md, with the effect of the place. The events `seen`,
    /// `engagement` and `engagement_bait` follow after minutes or hours of simulated time. Some arrive
    /// late, some twice, and they come in no order, as from real users.
    ///
    /// The combiner must serve models of the simulated feed and take events, as `counterweight up`
    /// does. Use it for demonstrations and tests only: nothing in the logs says that these users are
    /// not real.
    SimulateUsers(SimulateUsers),
}

/// The dataset to read.
#[derive(Args)]
pub(crate) struct DatasetFile {
    /// The dataset file (TOML).
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "log",
        conflicts_with = "log"
    )]
    dataset: Option<PathBuf>,
    /// The folder of the dataset's rows [default: the folder of the dataset file].
    #[arg(long, value_name = "DIR", requires = "dataset")]
    data: Option<PathBuf>,
    /// A labelled log, as `log join` writes it: its complete hours, described as `data init --log`
    /// does.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

impl DatasetFile {
    /// A dataset file and the folder of its rows.
    pub(crate) fn described(dataset: PathBuf, data: Option<PathBuf>) -> Self {
        Self {
            dataset: Some(dataset),
            data,
            log: None,
        }
    }

    pub(crate) fn open(&self) -> anyhow::Result<Dataset> {
        match (&self.dataset, &self.log) {
            (Some(dataset), _) => Ok(Dataset::open(dataset, self.data.as_deref())?),
            (None, Some(log)) => {
                let text = init(MANIFEST, labelled(log)?)?;
                Ok(Dataset::parse(&text, &log.display().to_string(), log)?)
            }
            (None, None) => bail!("give --dataset or --log"),
        }
    }

    /// The flag that reads the same dataset, without the folders of its file.
    pub(crate) fn flag(&self) -> String {
        let name = |path: &Path| {
            path.file_name()
                .unwrap_or(path.as_os_str())
                .display()
                .to_string()
        };
        match (&self.dataset, &self.log) {
            (Some(dataset), _) => format!("--dataset {}", name(dataset)),
            (None, log) => format!("--log {}", log.as_deref().map(name).unwrap_or_default()),
        }
    }
}

/// Checks that a folder is a labelled log.
pub(crate) fn labelled(log: &Path) -> anyhow::Result<&Path> {
    if log.join(MANIFEST).is_file() {
        return Ok(log);
    }
    bail!(
        "{} is not a labelled log: it has no {MANIFEST}; `counterweight log join` writes one",
        log.display()
    )
}

/// Write a first dataset file for a log.
///
/// Of a labelled log, the kinds and sides of features are those that the models stated. Everything
/// that is guessed says so in a comment.
#[derive(Args)]
pub(crate) struct Init {
    /// A file of rows: .csv, .ndjson or .parquet.
    #[arg(
        value_name = "FILE",
        required_unless_present = "log",
        conflicts_with = "log"
    )]
    file: Option<PathBuf>,
    /// A labelled log, as `log join` writes it.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    /// The dataset file to write; it must not exist [default: print it].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Init {
    fn run(self, output: Output) -> anyhow::Result<()> {
        let file = match (&self.file, &self.log) {
            (Some(file), _) => file.clone(),
            (None, Some(log)) => labelled(log)?.join(MANIFEST),
            (None, None) => bail!("give a file, or --log"),
        };
        // The dataset file names the rows by their full path, so that it can be anywhere.
        let file = file
            .canonicalize()
            .with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.to_str().context("the path is not UTF-8; rename it")?;
        let text = init(name, Path::new(""))?;
        if let Some(out) = &self.out {
            if out.exists() {
                bail!("{} exists; name another file, or remove it", out.display());
            }
            write_file(out, text.as_bytes())
                .with_context(|| format!("cannot write {}", out.display()))?;
        }
        output.print(
            &json!({ "out": self.out, "dataset": text }),
            |_| match &self.out {
                Some(out) => format!("{}: check the lines that say \"guess\"", out.display()),
                None => text.clone(),
            },
        )
    }
}

/// Generate the log of a simulated feed, and write its true probabilities to a separate file.
#[derive(Args)]
pub(crate) struct Generate {
    /// How many requests to simulate; memory use does not depend on their number.
    #[arg(long, default_value_t = Config::default().requests)]
    requests: u64,
    /// The seed of the simulation; the same seed gives the same bytes.
    #[arg(long, default_value_t = Config::default().seed)]
    seed: u64,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Data {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Describe(file) => {
                let description = describe(&file.open()?)?;
                output.print(&description, |description| {
                    let tables = description.tables().into_iter().map(|part| {
                        let header: Vec<&str> = part.header.iter().map(String::as_str).collect();
                        format!(
                            "{}\n{}",
                            part.title,
                            table(&header, header.len(), part.rows)
                        )
                    });
                    tables.collect::<Vec<_>>().join("\n\n")
                })
            }
            Self::Init(init) => init.run(output),
            Self::Generate(generate) => generate.run(output),
            Self::SimulateUsers(users) => users.run(output),
        }
    }
}

impl Generate {
    fn run(self, output: Output) -> anyhow::Result<()> {
        let config = Config {
            requests: self.requests,
            seed: self.seed,
            ..Config::default()
        };
        let bar = progress::counter("requests", self.requests);
        let summary = simulate(&config, &self.out, |done| bar.set_position(done))?;
        bar.finish_and_clear();
        let value = json!({
            "out": self.out,
            "requests": summary.requests,
            "rows": summary.rows,
            "labelled": summary.labelled,
            "engaged": summary.engaged,
            "baits": summary.baits,
            "bytes": summary.bytes,
        });
        output.print(&value, |_| {
            format!(
                "{}: {} requests, {} candidates, {} of them shown: {} engaged, {} reported as bait; {:.1} MB",
                self.out.display(),
                summary.requests,
                summary.rows,
                summary.labelled,
                summary.engaged,
                summary.baits,
                summary.bytes as f64 / 1e6
            )
        })
    }
}
