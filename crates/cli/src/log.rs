//! `counterweight log`: exports the recent requests of a combiner, and reads, joins and keeps the logs of
//! requests and events.

mod compact;
mod export;
mod forget;
mod join;
mod replay;
mod revision;
mod show;
mod show_text;
mod shown;
mod status;
mod verify;

use clap::Subcommand;

use crate::{output::Output, runtime::runtime};

/// Read, join and keep the logs of requests and events; export recent requests.
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
    Join(join::Join),
    /// Read every value of every file of a log, and name files that cannot be read.
    ///
    /// Write-ahead segments have checksums, which are checked. Of a labelled log the files are compared
    /// with its manifest. The log may be in use.
    Verify(verify::Verify),
    /// Rewrite the parts of a log: few large ones for many small ones, and without what must be
    /// forgotten.
    ///
    /// It takes the hours that are over and whose records are all in parts. The log may be in use. Run it
    /// once a day: what was forgotten is then removed within a day and the age at which parts are made.
    Compact(compact::Compact),
    /// Forget a person or a post: at once for every reader of the logs.
    ///
    /// Everything that was logged of a unit until now is forgotten: its rankings and its events. A candidate
    /// keeps its numbers in the rankings of others, and loses its name and its features. The parts are
    /// rewritten by `log compact`; labelled logs are rewritten at once. Models that were trained on it keep
    /// what they learned until they are trained again.
    Forget(forget::Forget),
}

impl Log {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Export(export) => runtime()?.block_on(export.run(output)),
            Self::Status(status) => status.run(output),
            Self::Replay(replay) => replay.run(output),
            Self::Show(show) => show.run(output),
            Self::Join(join) => join.run(output),
            Self::Verify(verify) => verify.run(output),
            Self::Compact(compact) => compact.run(output),
            Self::Forget(forget) => forget.run(output),
        }
    }
}
