//! `counterweight data`: describes a dataset, generates a simulated one, or plays its users.

mod simulate_users;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use counterweight_dataset::{Dataset, describe};
use counterweight_simulator::{Config, simulate};
use serde_json::json;

use self::simulate_users::SimulateUsers;
use crate::{
    output::{Output, table},
    progress,
};

/// Describe a dataset, generate a simulated one, or play its users.
#[derive(Subcommand)]
pub(crate) enum Data {
    /// Describe a dataset: rows, label rates, missing and distinct values, and sizes of the parts.
    Describe(DatasetFile),
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
    #[arg(long, value_name = "FILE")]
    pub(crate) dataset: PathBuf,
    /// The folder of the dataset's rows [default: the folder of the dataset file].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

impl DatasetFile {
    pub(crate) fn open(&self) -> anyhow::Result<Dataset> {
        Ok(Dataset::open(&self.dataset, self.data.as_deref())?)
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
