//! What a change is planned by: the configuration, what serves the objectives, and the profile as
//! it is.

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
    /// Empty for a probability column, and where a foreign server does not say.
    pub model_version: String,
    /// As in an answer.
    pub calibrator: String,
}

/// What a segment may ask for, as far as the models have said.
#[derive(Debug, Clone, Default)]
pub struct KnownAttributes {
    /// Features of the context, those whose side is not said, and what the configuration adds.
    pub context: Vec<String>,
    /// Features of the candidates, which no segment can ask for.
    pub candidate: Vec<String>,
    /// Whether every model has said what it takes.
    pub complete: bool,
}

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

/// Plans changes of the log.
#[derive(Debug, Clone)]
pub(crate) struct Planner {
    pub(crate) config: Arc<Config>,
    pub(crate) context: Context,
}

impl Planner {
    /// The same, with bounds passed.
    pub(crate) fn forced(&self) -> Self {
        let mut forced = self.clone();
        forced.context.forced = true;
        forced
    }

    /// The profile as it is, if it still is at the revision that the caller saw and is not among
    /// those that are `done` before.
    pub(super) fn current(
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
        check_expected(at, &current, log.last)?;
        Ok(current)
    }

    /// The profile as the log has it.
    pub(super) fn known(
        &self,
        log: &LogState,
        profile: &Arc<Profile>,
    ) -> Result<InForce, PlanError> {
        Ok(InForce::new(profile, log.profile(&profile.name))?)
    }
}

/// Refuses a change that expects another revision of the profile, in a log that ends at `last`.
pub(crate) fn check_expected(
    at: &ProfileAt,
    current: &InForce,
    last: u64,
) -> Result<(), PlanError> {
    match at.expected_revision {
        Some(revision) if revision > last => Err(PlanError::FutureRevision {
            field: "expected_revision",
            revision,
            last,
        }),
        Some(expected) if expected != current.revision => Err(PlanError::Lost {
            profile: current.profile.name.clone(),
            expected,
            current: current.revision,
        }),
        _ => Ok(()),
    }
}
