//! `counterweight bench`: measures servers under load, models by cross-validation, and weights on a
//! log.

use clap::Subcommand;

use crate::output::Output;

#[cfg(feature = "offline")]
mod compare;
#[cfg(feature = "offline")]
mod folds;
#[cfg(feature = "offline")]
mod front;
mod load;
#[cfg(feature = "offline")]
mod log;
#[cfg(feature = "offline")]
mod ope;
#[cfg(feature = "offline")]
mod recommend;
#[cfg(feature = "offline")]
mod report;
#[cfg(feature = "offline")]
mod set_weights;
#[cfg(feature = "offline")]
mod train_compared;

/// Measure servers under load, models by cross-validation, and weights on a log.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Send load to a server and measure its latency and throughput.
    #[command(subcommand)]
    Load(load::Load),
    /// Measure a recipe by cross-validation: everything is refitted for every fold.
    #[cfg(feature = "offline")]
    Folds(folds::Folds),
    /// Compute the exact front of a log: engagement and bait exposure at every weight, with bands.
    #[cfg(feature = "offline")]
    Front(front::Front),
    /// Recommend a weight for a goal, with its cost and intervals; or report why none can be given.
    #[cfg(feature = "offline")]
    Recommend(recommend::Recommend),
    /// Estimate what another policy would have brought, from a log with exploration.
    #[cfg(feature = "offline")]
    Ope(ope::Ope),
    /// Compare two models and a weighted sum with one model of the combined loss, at the same
    /// weights.
    #[cfg(feature = "offline")]
    Compare(compare::Compare),
    /// Write one report of a log, as HTML, Markdown or JSON, with its plots.
    #[cfg(feature = "offline")]
    Report(Box<report::Report>),
}

impl Bench {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Load(load) => load.run(output),
            #[cfg(feature = "offline")]
            Self::Folds(folds) => folds.run(output),
            #[cfg(feature = "offline")]
            Self::Front(front) => front.run(output),
            #[cfg(feature = "offline")]
            Self::Recommend(recommend) => recommend.run(output),
            #[cfg(feature = "offline")]
            Self::Ope(ope) => ope.run(output),
            #[cfg(feature = "offline")]
            Self::Compare(compare) => compare.run(output),
            #[cfg(feature = "offline")]
            Self::Report(report) => report.run(output),
        }
    }
}
