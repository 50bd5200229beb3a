//! What a change makes of the log's state: every check of a write that needs to know what is there.

mod audience;
mod binding;
mod check;
mod check_audience;
mod every_set;
mod kill;
mod ramp;
mod rollback;
mod set;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

pub(crate) use self::ramp::{due, next_due_ms};
pub use self::{
    audience::{AudienceChange, ExperimentChange, KnownAttributes},
    binding::ModelIdentity,
    ramp::RampPlan,
    rollback::Restored,
    set::ProfileChange,
};
use crate::{
    config::{Config, OnModelChange, Profile},
    entry::Change,
    error::PlanError,
    in_force::InForce,
    log_state::LogState,
    profile::ProfileState,
};

/// A profile, and the revision of it that the caller saw.
#[derive(Debug, Clone)]
pub struct ProfileAt {
    /// Empty means "default".
    pub profile: String,
    /// The change is refused unless the profile is at this revision; none does not ask.
    pub expected_revision: Option<u64>,
}

/// What a change is planned by, beside the log and the configuration.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// What each objective is served by, by name; an objective is missing while that is not known.
    pub served: HashMap<String, ModelIdentity>,
    /// What segments may ask for.
    pub attributes: KnownAttributes,
    /// Whether bounds are passed.
    pub forced: bool,
}

/// A change of the log.
#[derive(Debug, Clone)]
pub enum Command {
    /// Sets weights and audiences, or confirms weights for other models.
    Set(Vec<ProfileChange>),
    /// Restores some profiles as they were.
    Rollback {
        /// The revision that is restored.
        revision: u64,
        /// The profiles, each with what the log said of it then.
        profiles: Vec<Restored>,
    },
    /// Starts a ramp.
    StartRamp(RampPlan),
    /// Stops the ramp of a profile.
    StopRamp(ProfileAt),
    /// Puts the safe set of the profile of this name in force; an empty name means of all.
    Kill(String),
}

/// Plans changes of the log.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(crate) config: Arc<Config>,
    pub(crate) context: Context,
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
    pub(crate) fn stop_ramp(&self, log: &LogState, at: &ProfileAt) -> Result<Change, PlanError> {
        ramp::stop(self, log, at)
    }

    /// The step of a profile's ramp that is due at `now_ms`; none when there is none.
    pub(crate) fn ramp_step(
        &self,
        log: &LogState,
        profile: usize,
        now_ms: u64,
    ) -> Result<Option<Change>, PlanError> {
        ramp::step(self, log, profile, now_ms)
    }

    /// Puts the safe set of one profile, or of all that declare one, in force. A safe set is bound
    /// to no model, and it was checked against the bounds when the configuration was read; how far
    /// it moves is not asked.
    pub(crate) fn kill(&self, profile: &str) -> Result<Change, PlanError> {
        kill::plan(&self.config, profile)
    }

    /// The same, with bounds passed.
    pub(crate) fn forced(&self) -> Self {
        let mut forced = self.clone();
        forced.context.forced = true;
        forced
    }

    /// The profile as it is, if it still is at the revision that the caller saw and is not among
    /// those that are `done` before.
    fn current(
        &self,
        log: &LogState,
        at: &ProfileAt,
        done: &[ProfileState],
    ) -> Result<InForce, PlanError> {
        let profile = &self.config.profiles[self.config.profile(&at.profile)?];
        if done.iter().any(|done| done.profile == profile.name) {
            return Err(PlanError::DuplicateProfile {
                profile: profile.name.clone(),
            });
        }
        let current = self.known(log, profile)?;
        match at.expected_revision {
            Some(revision) if revision > log.last => Err(PlanError::FutureRevision {
                field: "expected_revision",
                revision,
                last: log.last,
            }),
            Some(expected) if expected != current.revision => Err(PlanError::Lost {
                profile: profile.name.clone(),
                expected,
                current: current.revision,
            }),
            _ => Ok(current),
        }
    }

    /// The profile as the log has it.
    fn known(&self, log: &LogState, profile: &Arc<Profile>) -> Result<InForce, PlanError> {
        Ok(InForce::new(profile, log.profile(&profile.name))?)
    }
}

/// Whether the profile stays on the models that its weights are bound to.
fn holds_models(profile: &Profile) -> bool {
    profile.on_model_change == OnModelChange::Hold
}
