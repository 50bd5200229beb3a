//! The inputs of a plan: the configuration, the models that serve the objectives, and the current
//! profile.

use std::{collections::HashMap, sync::Arc};

use crate::{
    config::{Config, Profile},
    error::PlanError,
    in_force::InForce,
    log_state::LogState,
    profile::ProfileState,
};

/// The model version and the calibrators that serve an objective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelIdentity {
    /// Empty for a probability column, and for a foreign server that does not report one.
    pub model_version: String,
    /// The calibrator, as answers name it.
    pub calibrator: String,
}

/// The attributes that a segment may use, as far as the models have described their inputs.
#[derive(Debug, Clone, Default)]
pub struct KnownAttributes {
    /// Features of the context, features of unknown kind, and attributes of the configuration.
    pub context: Vec<String>,
    /// Features of the candidates, which no segment can use.
    pub candidate: Vec<String>,
    /// Whether every model has described its inputs.
    pub complete: bool,
}

/// A profile, and the revision of it that the caller saw.
#[derive(Debug, Clone)]
pub struct ProfileAtRevision {
    /// Empty means "default".
    pub profile: String,
    /// The change is refused unless the profile is at this revision; none skips the check.
    pub expected_revision: Option<u64>,
}

/// The inputs of a plan beside the log and the configuration.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The served model by objective name; an objective is missing while its model is unknown.
    pub served: HashMap<String, ModelIdentity>,
    /// The attributes that segments may use.
    pub attributes: KnownAttributes,
    /// Whether the change skips the bounds.
    pub forced: bool,
}

/// Plans changes of the log.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(crate) config: Arc<Config>,
    pub(crate) context: Context,
}

impl Planner {
    /// The same planner, which skips the bounds.
    pub(crate) fn forced(&self) -> Self {
        let mut forced = self.clone();
        forced.context.forced = true;
        forced
    }

    /// The current state of the profile. Refused when the profile is not at the revision that the
    /// caller saw, or is among those that are `done` already.
    pub(super) fn current(
        &self,
        log: &LogState,
        at: &ProfileAtRevision,
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

    /// The state of the profile in the log.
    pub(super) fn known(
        &self,
        log: &LogState,
        profile: &Arc<Profile>,
    ) -> Result<InForce, PlanError> {
        Ok(InForce::new(profile, log.profile(&profile.name))?)
    }
}
