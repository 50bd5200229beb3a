//! Plans a change as SetWeights would plan it, without making it.

use std::sync::Arc;

use crate::{
    error::{Error, PlanError},
    in_force::InForce,
    live::LiveWeights,
    plan::{Context, ProfileChange, check_expected},
};

/// A profile before a change and after it.
#[derive(Debug)]
pub struct WhatIf {
    /// Its position in the configuration.
    pub profile: usize,
    /// As it is.
    pub before: Arc<InForce>,
    /// As the change would make it, under the revision of now.
    pub after: InForce,
    /// Why SetWeights would refuse the change.
    pub refusal: Option<PlanError>,
}

impl LiveWeights {
    /// Plans a change of a profile from `before`, its weights as the log has them or had them a
    /// moment ago, and forgets it. Bounds do not stop it; the refusal says whether they would, and
    /// so it does where the change expects another revision.
    ///
    /// # Errors
    /// What SetWeights refuses even when it is forced.
    pub fn what_if(
        &self,
        context: Context,
        change: &ProfileChange,
        before: Arc<InForce>,
    ) -> Result<WhatIf, Error> {
        let position = self.config.profile(&change.at.profile)?;
        let profile = &self.config.profiles[position];
        let planner = self.planner(context);
        let state = planner.forced().changed(&before, change)?;
        let after =
            InForce::new(profile, Some(&(before.revision, state))).map_err(PlanError::Mismatch)?;
        let refused = check_expected(&change.at, &before, self.applied())
            .and_then(|()| planner.changed(&before, change));
        Ok(WhatIf {
            profile: position,
            after,
            refusal: refused.err(),
            before,
        })
    }
}
