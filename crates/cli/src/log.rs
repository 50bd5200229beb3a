//! `counterweight log`: exports the recent requests of a combiner as an impression log, and looks
//! into request logs.

mod export;
mod replay;
mod revision;
mod show;
mod show_text;
mod shown;
mod status;

use clap::Subcommand;

use crate::{output::Output, runtime::runtime};

/// Export the recent requests of a running combiner, and look into request logs.
#[derive(Subcommand)]
pub(crate) enum Log {
    /// Write the recent requests that the combiner keeps to a Parquet file, which `bench --log`
    /// reads.
    ///
    /// data/SCHEMA.md describes the file. It contains all candidates with the probabilities that
    /// were combined, so that other weights can be tried on it. If λ was drawn, it also contains
    /// the range and density of the draw. It does not contain what users did: join that by
    /// request_id and candidate_id, as columns label_<objective>.
    Export(export::Export),
    /// Count what the folder of a log holds, and name files that are damaged.
    ///
    /// The log may be in use. In a request log `rows` are candidates of rankings in Parquet parts,
    /// and `records` are rankings that are written and in no part yet; in an event log they are
    /// events and batches of events.
    Status(status::Status),
    /// Rank everything that a request log has again, from its own numbers, and say what differs.
    ///
    /// The score of a candidate is Σ w_<objective> · p_<objective>, and the page is the first k by
    /// score, then by id. With --models, the probabilities of candidates whose features are logged
    /// are computed again, too. Rankings that are in no Parquet part yet are not read.
    Replay(replay::Replay),
    /// Say why somebody saw what they saw: one ranking in plain words, from the request log.
    ///
    /// It names the weights and where they came from, and for each candidate of the page its score
    /// and what each objective added to it. With --models it also says which features moved each
    /// probability most. With --address it asks the combiner who set the weights, and says what the
    /// page would have been at the profile's own weights; --history reads both from a file. Rankings
    /// that are in no Parquet part yet are not read. --json prints every number.
    Show(show::Show),
}

impl Log {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Export(export) => runtime()?.block_on(export.run(output)),
            Self::Status(status) => status.run(output),
            Self::Replay(replay) => replay.run(output),
            Self::Show(show) => show.run(output),
        }
    }
}
