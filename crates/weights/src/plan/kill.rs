//! The kill switch: the declared safe sets, at once.

use crate::{
    config::Config,
    entry::Change,
    error::PlanError,
    in_force::named,
    profile::{Action, ProfileState},
};

/// As [`super::Planner::kill`].
pub(super) fn plan(config: &Config, profile: &str) -> Result<Change, PlanError> {
    let chosen = match profile {
        "" => &config.profiles[..],
        name => std::slice::from_ref(&config.profiles[config.profile(name)?]),
    };
    let profiles: Vec<ProfileState> = chosen
        .iter()
        .filter_map(|profile| {
            let safe = profile.safe.as_ref()?;
            Some(ProfileState {
                profile: profile.name.clone(),
                weights: named(profile, safe.as_slice()),
                bindings: Vec::new(),
                ramp: None,
                segments: Vec::new(),
                experiments: Vec::new(),
                exploration: None,
            })
        })
        .collect();
    if profiles.is_empty() {
        let names = chosen.iter().map(|profile| profile.name.as_str());
        return Err(PlanError::NoSafeSet {
            profile: names.collect::<Vec<_>>().join(", "),
        });
    }
    Ok(Change {
        action: Action::Kill,
        forced: false,
        profiles,
    })
}
