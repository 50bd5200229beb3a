//! Plans a change as SetWeights would plan it, without making it.

use std::slice;

use crate::{
    error::{Error, PlanError, StoreError},
    in_force::InForce,
    live::LiveWeights,
    plan::{Context, ProfileChange},
};

/// A profile before a change and after it.
#[derive(Debug)]
pub struct WhatIf {
    /// Its position in the configuration.
    pub profile: usize,
    /// As it is.
    pub before: InForce,
    /// As the change would make it, under the revision of now.
    pub after: InForce,
    /// Why SetWeights would refuse the change.
    pub refusal: Option<PlanError>,
}

impl LiveWeights {
    /// Plans a change and forgets it. Bounds do not stop it; the refusal says whether they would.
    ///
    /// # Errors
    /// What SetWeights refuses even when it is forced.
    pub fn what_if(&self, context: Context, change: &ProfileChange) -> Result<WhatIf, Error> {
        let changes = slice::from_ref(change);
        let planner = self.planner(context);
        let position = self.config.profile(&change.at.profile)?;
        let profile = &self.config.profiles[position];
        let known = self.known();
        let log = &known.log;
        let planned = planner.forced().set(log, changes)?.profiles.pop();
        let state = planned.ok_or_else(|| StoreError::Internal {
            what: "a change of one profile was planned as none".to_owned(),
        })?;
        let before =
            InForce::new(profile, log.profile(&profile.name)).map_err(PlanError::Mismatch)?;
        let after =
            InForce::new(profile, Some(&(before.revision, state))).map_err(PlanError::Mismatch)?;
        Ok(WhatIf {
            profile: position,
            before,
            after,
            refusal: planner.set(log, changes).err(),
        })
    }
}
