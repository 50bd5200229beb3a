//! `counterweight weights`: reads, moves and watches the weights of a running system.

mod arms;
mod audience_text;
mod change;
mod experiment;
mod explain;
mod explore;
mod get;
mod history;
mod kill;
mod page;
mod preview;
mod preview_text;
mod ramp;
mod rollback;
mod segment;
mod session;
mod set;
mod solve;
mod text;
mod verify;
mod watch;

use clap::Subcommand;

use crate::{output::Output, runtime::runtime};

/// Read, change and watch the weights of a running system.
#[derive(Subcommand)]
pub(crate) enum Weights {
    /// Show the weights that are applied now.
    Get(get::Get),
    Set(set::Set),
    /// Show what new weights would do to the recent requests; nothing is changed.
    Preview(preview::Preview),
    /// Find the weight that meets a goal on the recent requests with the least loss; nothing is
    /// changed.
    Solve(solve::Solve),
    /// Show which weights a request would get, and why.
    Explain(explain::Explain),
    /// Give some requests their own weights.
    ///
    /// A segment is a set of conditions on a request, with weights. The first segment whose
    /// conditions are all true applies. Its weights replace the profile's; objectives that it does
    /// not name keep theirs.
    #[command(subcommand)]
    Segment(segment::Segment),
    /// Divide units (usually users) into arms that get their own weights.
    ///
    /// A unit's arm follows from a hash of its id and the salt of the experiment, and stays the
    /// same as long as the shares do. The first experiment that has an arm for the unit applies;
    /// the arm's weights replace those of the segment or profile. `weights explain --unit` shows
    /// which arm a unit is in, and why.
    #[command(subcommand)]
    Experiment(experiment::Experiment),
    /// Draw a new weight of the second objective for every request, or stop drawing.
    ///
    /// Exploration makes a log from which the effect of other weights can be estimated. λ is drawn
    /// before the candidates are looked at, and the second objective's weight is −λ times the
    /// first's. The response and the log hold the draw with its range and density, so that
    /// `bench ope` knows the exact propensities.
    Explore(explore::Explore),
    /// List the revisions, newest first.
    History(history::History),
    /// Show one revision.
    Show(history::Show),
    Rollback(rollback::Rollback),
    Ramp(ramp::Ramp),
    /// Apply the configured safe weights at once.
    Kill(kill::Kill),
    Watch(watch::Watch),
    /// Check that the log is complete and unchanged.
    Verify(verify::Verify),
}

impl Weights {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let runtime = runtime()?;
        match self {
            Self::Get(get) => runtime.block_on(get.run(output)),
            Self::Set(set) => runtime.block_on(set.run(output)),
            Self::Preview(preview) => runtime.block_on(preview.run(output)),
            Self::Solve(solve) => runtime.block_on(solve.run(output)),
            Self::Explain(explain) => runtime.block_on(explain.run(output)),
            Self::Segment(segment) => runtime.block_on(segment.run(output)),
            Self::Experiment(experiment) => runtime.block_on(experiment.run(output)),
            Self::Explore(explore) => runtime.block_on(explore.run(output)),
            Self::History(history) => runtime.block_on(history.run(output)),
            Self::Show(show) => runtime.block_on(show.run(output)),
            Self::Rollback(rollback) => runtime.block_on(rollback.run(output)),
            Self::Ramp(ramp) => runtime.block_on(ramp.run(output)),
            Self::Kill(kill) => runtime.block_on(kill.run(output)),
            Self::Watch(watch) => runtime.block_on(watch.run(output)),
            Self::Verify(verify) => runtime.block_on(verify.run(output)),
        }
    }
}
