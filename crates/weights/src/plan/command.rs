//! The changes of the log that can be requested, and the function that plans each.

use super::{
    kill,
    planner::{Planner, ProfileAtRevision},
    ramp::{self, RampPlan},
    rollback::{self, Restored},
    set::{self, ProfileChange},
};
use crate::{entry::Change, error::PlanError, log_state::LogState};

/// A change of the log.
#[derive(Debug, Clone)]
pub enum Command {
    /// Sets weights and audiences, or confirms weights for other models.
    Set(Vec<ProfileChange>),
    /// Restores some profiles as they were.
    Rollback {
        /// The revision that is restored.
        revision: u64,
        /// The profiles, each with its state at that revision.
        profiles: Vec<Restored>,
    },
    /// Starts a ramp.
    StartRamp(RampPlan),
    /// Stops the ramp of a profile.
    StopRamp(ProfileAtRevision),
    /// Puts the safe set of the profile of this name in force; an empty name means of all.
    Kill(String),
}

impl Planner {
    /// Makes a change from the log's state.
    pub(crate) fn plan(&self, log: &LogState, command: &Command) -> Result<Change, PlanError> {
        match command {
            Command::Set(changes) => self.set(log, changes),
            Command::Rollback { revision, profiles } => self.rollback(log, *revision, profiles),
            Command::StartRamp(plan) => self.start_ramp(log, plan),
            Command::StopRamp(at) => self.stop_ramp(log, at),
            Command::Kill(profile) => self.kill(profile),
        }
    }

    /// Replaces the weights of some profiles; a ramp that runs there is stopped by it.
    pub(crate) fn set(
        &self,
        log: &LogState,
        changes: &[ProfileChange],
    ) -> Result<Change, PlanError> {
        set::plan(self, log, changes)
    }

    /// Restores some profiles as they were at a revision, with segments, experiments and
    /// exploration; a ramp that ran then stays stopped.
    pub(crate) fn rollback(
        &self,
        log: &LogState,
        revision: u64,
        restored: &[Restored],
    ) -> Result<Change, PlanError> {
        rollback::plan(self, log, revision, restored)
    }

    /// Starts a ramp from where the weights are; one that runs there is replaced.
    pub(crate) fn start_ramp(&self, log: &LogState, plan: &RampPlan) -> Result<Change, PlanError> {
        ramp::start(self, log, plan)
    }

    /// Stops the ramp of a profile where it is.
    pub(crate) fn stop_ramp(&self, log: &LogState, at: &ProfileAtRevision) -> Result<Change, PlanError> {
        ramp::stop(self, log, at)
    }

    /// The step of a profile's ramp that is due at `now_ms`; none when no step is due.
    pub(crate) fn ramp_step(
        &self,
        log: &LogState,
        profile: usize,
        now_ms: u64,
    ) -> Result<Option<Change>, PlanError> {
        ramp::step(self, log, profile, now_ms)
    }

    /// Puts the safe set of one profile, or of all that declare one, in force. A safe set is bound
    /// to no model. It was checked against the bounds when the configuration was read; the largest
    /// step does not apply to it.
    pub(crate) fn kill(&self, profile: &str) -> Result<Change, PlanError> {
        kill::plan(&self.config, profile)
    }
}
