//! What the log says up to some entry: the last state of every profile, and where each idempotency
//! key was used.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    entry::{Entry, NO_HASH},
    keys::KnownKeys,
    profile::ProfileState,
};

/// What the log says up to its entry `last`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogState {
    /// The last revision; 0 when there is none.
    pub(crate) last: u64,
    pub(crate) last_hash: String,
    /// By name, each with the revision that set it; profiles that are not configured, too.
    profiles: BTreeMap<String, (u64, ProfileState)>,
    keys: KnownKeys,
}

impl LogState {
    /// An empty log that recognises idempotency keys for this time.
    pub(crate) fn new(key_horizon: Duration) -> Self {
        Self {
            last: 0,
            last_hash: NO_HASH.to_owned(),
            profiles: BTreeMap::new(),
            keys: KnownKeys::new(key_horizon),
        }
    }

    /// Recognises idempotency keys for this time from now on.
    pub(crate) fn set_key_horizon(&mut self, horizon: Duration) {
        self.keys.set_horizon(horizon);
    }

    /// Adds the next entry; it is known to follow.
    pub(crate) fn record(&mut self, entry: &Entry) {
        self.last = entry.revision;
        self.last_hash.clone_from(&entry.hash);
        let key = &entry.cause.idempotency_key;
        self.keys.record(key, entry.revision, entry.time.seconds);
        for set in &entry.change.profiles {
            let state = (entry.revision, set.clone());
            self.profiles.insert(set.profile.clone(), state);
        }
    }

    /// The last entry of a profile and what it says.
    pub(crate) fn profile(&self, name: &str) -> Option<&(u64, ProfileState)> {
        self.profiles.get(name)
    }

    /// Every profile that the log knows, by name, with the revision that set it and its state.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (&str, &(u64, ProfileState))> {
        let profiles = self.profiles.iter();
        profiles.map(|(name, state)| (name.as_str(), state))
    }

    /// The revision in which a key was used, if that is within the horizon before `now`, in seconds
    /// since 1970.
    pub(crate) fn revision_of_key(&self, key: &str, now: i64) -> Option<u64> {
        self.keys.revision(key, now)
    }
}
