//! `counterweight weights`: reads, changes and watches the weights of a running system.

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
mod skip_entry;
mod solve;
mod text;
mod verify;
mod watch;

use clap::Subcommand;

use crate::{output::Output, runtime::runtime};

/// Read, change and watch the weights of a running system.
#[derive(Subcommand)]
pub(crate) enum Weights {
    /// Show the weights that are in force now.
    Get(get::Get),
    Set(set::Set),
    /// Show what new weights would do to the recent requests; nothing is changed.
    Preview(preview::Preview),
    /// Find the best weight that meets a goal on the recent requests; nothing is changed.
    Solve(solve::Solve),
    /// Show which weights a request would get, and why.
    Explain(explain::Explain),
    /// Give some requests their own weights.
    ///
    /// A segment is a set of conditions on a request, with weights. The first segment whose
    /// conditions are all true applies. Its weights replace those of the profile; an objective that
    /// it does not name keeps its weight.
    #[command(subcommand)]
    Segment(segment::Segment),
    /// Divide units (usually users) into arms that get their own weights.
    ///
    /// A hash of the unit's id and the experiment's salt decides the arm. A unit stays in its arm
    /// as long as the shares do not change. The first experiment that has an arm for the unit
    /// applies; the weights of the arm replace those of the segment or profile. `weights explain
    /// --unit` shows which arm a unit is in, and why.
    #[command(subcommand)]
    Experiment(experiment::Experiment),
    /// Draw a random weight of the second objective for every request, or stop drawing.
    ///
    /// A log with exploration allows estimating the effect of other weights. λ is drawn
    /// independently of the candidates, and the weight of the second objective is −λ times that of
    /// the first. The response and the log contain λ with the range and density of the draw, so
    /// that `bench ope` knows the exact propensities.
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
    SkipEntry(skip_entry::SkipEntry),
    /// Check that the weights log is complete and unchanged.
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
            Self::SkipEntry(skip) => runtime.block_on(skip.run(output)),
            Self::Watch(watch) => runtime.block_on(watch.run(output)),
            Self::Verify(verify) => runtime.block_on(verify.run(output)),
        }
    }
}
