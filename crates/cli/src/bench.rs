//! `counterweight bench`: load on a server, and models over folds.

use clap::Subcommand;

use crate::output::Output;

#[cfg(feature = "offline")]
mod folds;
mod load;

/// Measure: load on a server, models over folds.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Send load to a server and measure its latency and throughput.
    #[command(subcommand)]
    Load(load::Load),
    /// Measure a recipe by cross-validation: everything is refitted for every fold.
    #[cfg(feature = "offline")]
    Folds(folds::Folds),
}

impl Bench {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Load(load) => load.run(output),
            #[cfg(feature = "offline")]
            Self::Folds(folds) => folds.run(output),
        }
    }
}
