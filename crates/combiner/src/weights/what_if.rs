//! What a change would make of a profile: it is planned as SetWeights would plan it, and made nowhere.

use std::slice;

use super::{
    in_force::InForce,
    live::LiveWeights,
    plan::{Planner, ProfileChange},
};
use crate::error::CombinerError;

/// A profile as it is, and as a change would make it.
#[derive(Debug)]
pub(crate) struct WhatIf {
    /// Its position in the configuration.
    pub(crate) profile: usize,
    pub(crate) before: InForce,
    /// Under the revision of now.
    pub(crate) after: InForce,
    /// Why SetWeights would refuse the change.
    pub(crate) refusal: Option<CombinerError>,
}

impl LiveWeights {
    /// Plans a change and forgets it. Bounds do not stop it; the refusal says whether they would.
    ///
    /// # Errors
    /// What SetWeights refuses even when it is forced.
    pub(crate) fn what_if(
        &self,
        planner: &Planner,
        change: &ProfileChange,
    ) -> Result<WhatIf, CombinerError> {
        let changes = slice::from_ref(change);
        let forced = Planner {
            forced: true,
            ..planner.clone()
        };
        let profile = self.config.profile(&change.at.profile)?;
        let log = self.state();
        let planned = forced.set(&log, changes)?.profiles.pop();
        let state = planned.ok_or_else(|| CombinerError::Internal {
            what: "a change of one profile was planned as none".to_owned(),
        })?;
        let known = log.profile(&self.config.profiles[profile].name);
        let before = InForce::new(&self.config, profile, known)?;
        let after = InForce::new(&self.config, profile, Some(&(before.revision, state)))?;
        Ok(WhatIf {
            profile,
            before,
            after,
            refusal: planner.set(&log, changes).err(),
        })
    }
}
