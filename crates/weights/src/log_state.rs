//! What the log says up to some entry: the last state of every profile, and where each idempotency key was used.

use std::collections::HashMap;

use super::{
    entry::{Entry, NO_HASH},
    profile::ProfileState,
};

/// What the log says up to its entry `last`.
#[derive(Debug)]
pub(crate) struct LogState {
    /// The last revision; 0 when there is none.
    pub(super) last: u64,
    pub(super) last_hash: String,
    /// By name; profiles that are not configured, too.
    profiles: HashMap<String, (u64, ProfileState)>,
    /// Where each idempotency key was used.
    keys: HashMap<String, u64>,
}

impl LogState {
    /// An empty log.
    pub(super) fn new() -> Self {
        Self {
            last: 0,
            last_hash: NO_HASH.to_owned(),
            profiles: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    /// Adds the next entry; it is known to follow.
    pub(super) fn record(&mut self, entry: &Entry) {
        self.last = entry.revision;
        self.last_hash.clone_from(&entry.hash);
        if !entry.cause.idempotency_key.is_empty() {
            let key = entry.cause.idempotency_key.clone();
            self.keys.entry(key).or_insert(entry.revision);
        }
        for set in &entry.change.profiles {
            let state = (entry.revision, set.clone());
            self.profiles.insert(set.profile.clone(), state);
        }
    }

    /// The last entry of a profile and what it says.
    pub(super) fn profile(&self, name: &str) -> Option<&(u64, ProfileState)> {
        self.profiles.get(name)
    }

    /// The names of all profiles that the log knows.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The revision in which a key was used first.
    pub(super) fn used(&self, key: &str) -> Option<u64> {
        self.keys.get(key).copied()
    }
}
