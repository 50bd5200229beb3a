//! Reads the log backwards: lists of revisions, one revision, and the state of profiles at a
//! revision.

use std::collections::HashMap;

use crate::{
    entry::Entry,
    error::{Error, PlanError, StoreError},
    in_force::InForce,
    live::{LiveWeights, READ_AHEAD},
    profile::ProfileState,
};

/// The most entries that one page of a list looks at: a profile that rarely changes gets more,
/// shorter pages.
const LOOK_AT_MOST: u64 = 16 * READ_AHEAD as u64;

/// Part of the log, newest first.
#[derive(Debug)]
pub struct Page {
    /// Its entries.
    pub entries: Vec<Entry>,
    /// Where the next page ends: the revision after its newest possible entry; none at the end.
    pub next: Option<u64>,
}

impl LiveWeights {
    /// The newest `count` entries below the revision `before`, of one profile or of all.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn page(
        &self,
        profile: Option<&str>,
        before: u64,
        count: usize,
    ) -> Result<Page, StoreError> {
        let mut before = before.min(self.last() + 1);
        let end = before.saturating_sub(LOOK_AT_MOST);
        let mut entries = Vec::new();
        while before > 1.max(end) && entries.len() < count {
            for entry in self.read_below(before, count).await?.into_iter().rev() {
                if entries.len() == count {
                    break;
                }
                before = entry.revision;
                if profile.is_none_or(|profile| entry.sets(profile).is_some()) {
                    entries.push(entry);
                }
            }
        }
        Ok(Page {
            entries,
            next: (before > 1).then_some(before),
        })
    }

    /// The entry of that revision.
    ///
    /// # Errors
    /// The log has no such revision; the store cannot be read.
    pub async fn revision(&self, revision: u64) -> Result<Entry, Error> {
        let last = self.last();
        if (1..=last).contains(&revision)
            && let Some(entry) = self.read(revision, 1).await?.pop()
        {
            return Ok(entry);
        }
        Err(PlanError::UnknownRevision { revision, last }.into())
    }

    /// The state of these profiles right after `revision`, by name; a profile that the log had not
    /// set by then is missing.
    ///
    /// # Errors
    /// The log ends before; the store cannot be read.
    pub async fn states_at(
        &self,
        revision: u64,
        profiles: &[&str],
    ) -> Result<HashMap<String, (u64, ProfileState)>, Error> {
        let last = self.last();
        if revision > last {
            return Err(PlanError::FutureRevision {
                field: "revision",
                revision,
                last,
            }
            .into());
        }
        let mut found = HashMap::new();
        let mut before = revision + 1;
        while before > 1 && found.len() < profiles.len() {
            for entry in self.read_below(before, READ_AHEAD).await?.into_iter().rev() {
                before = entry.revision;
                for set in &entry.change.profiles {
                    let wanted = profiles.contains(&set.profile.as_str());
                    if wanted && !found.contains_key(&set.profile) {
                        found.insert(set.profile.clone(), (entry.revision, set.clone()));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The profiles of an entry as they were before it, in its order: as the log says, or as they
    /// are configured where it had said nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn states_before(&self, entry: &Entry) -> Result<Vec<(u64, ProfileState)>, Error> {
        let profiles = entry.change.profiles.iter();
        let names: Vec<&str> = profiles.map(|set| set.profile.as_str()).collect();
        let mut found = self.states_at(entry.revision - 1, &names).await?;
        let mut before = Vec::with_capacity(names.len());
        for name in names {
            if let Some(state) = found.remove(name) {
                before.push(state);
            } else if let Some(profile) = self.config.profiles.iter().find(|own| own.name == name) {
                let configured = InForce::new(profile, None).map_err(PlanError::Mismatch)?;
                before.push((0, configured.state()));
            }
        }
        Ok(before)
    }

    /// At most `count` entries directly below the revision `before`, in order.
    async fn read_below(&self, before: u64, count: usize) -> Result<Vec<Entry>, StoreError> {
        let count = count.clamp(1, READ_AHEAD) as u64;
        let from = before.saturating_sub(count).max(1);
        let count = usize::try_from(before - from).unwrap_or(READ_AHEAD);
        let entries = self.read(from, count).await?;
        if entries.is_empty() {
            // It is below the last known revision, so it existed.
            return Err(StoreError::Corrupt {
                store: self.config.store.to_string(),
                revision: from,
                problem: "it is missing although it was read before".to_owned(),
            });
        }
        Ok(entries)
    }
}

impl Entry {
    /// The state that it sets the profile to.
    fn sets(&self, profile: &str) -> Option<&ProfileState> {
        let profiles = &self.change.profiles;
        profiles.iter().find(|set| set.profile == profile)
    }
}
