//! One entry of the weights log, and the payload that stores it. The hash of an entry is that of
//! its stored bytes, and every entry names the hash of the one before it.

use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    profile::{Action, ProfileState},
    weight::ObjectiveWeight,
};

/// The newest format of payloads that is read. Format 1 had weights only; format 2 had no segments,
/// experiments or exploration; format 4 adds moves and skipped entries. An entry that lacks a part
/// is read as "set, not forced, bound to nothing, no ramp, the same weights for all".
pub(crate) const FORMAT: u64 = 4;
/// The format of an entry without moves and skipped entries, which older versions read, too.
const PLAIN_FORMAT: u64 = 3;
/// The largest payload that is written, in bytes. Entries stay for ever, and every combiner, watcher
/// and page of the history handles whole ones.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 256 << 10;
/// The hash that the first entry names as the one before it.
pub(crate) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an entry changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it does.
    pub action: Action,
    /// Whether it was made with force, which skips the bounds.
    pub forced: bool,
    /// The whole state of every profile that it replaces.
    pub profiles: Vec<ProfileState>,
    /// The profile whose weights it moves along a ramp; everything else about it stays.
    pub moved: Option<Moved>,
    /// The entries that it steps over.
    pub skipped: Vec<Skipped>,
}

impl Change {
    /// A change that replaces the whole state of these profiles.
    pub(crate) fn of_profiles(action: Action, forced: bool, profiles: Vec<ProfileState>) -> Self {
        Self {
            action,
            forced,
            profiles,
            moved: None,
            skipped: Vec::new(),
        }
    }

    /// The names of the profiles that it changes.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        let replaced = self.profiles.iter().map(|set| set.profile.as_str());
        replaced.chain(self.moved.iter().map(|moved| moved.profile.as_str()))
    }
}

/// A step of a ramp: only what it changes, so that a ramp of many steps over large segments takes
/// little room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The profile.
    pub profile: String,
    /// In objective order.
    pub weights: Vec<ObjectiveWeight>,
}

/// An entry that cannot be read, which a later entry steps over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// Its place in the log.
    pub revision: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub hash: String,
}

/// Who made an entry, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// The author, as the caller wrote it.
    pub author: String,
    /// The reason, as the caller wrote it.
    pub reason: String,
    /// Names the write: a writer who does not know whether it arrived looks for this key. Empty in
    /// entries of format 1 only.
    pub idempotency_key: String,
    /// Digest of the request that made it, to tell a repeat from another change under the same key.
    pub request_digest: String,
}

/// One change of weights: durable, numbered and chained to the one before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Sequence number, from 1.
    pub revision: u64,
    /// What it changes.
    pub change: Change,
    /// Who made it, and why.
    pub cause: Cause,
    /// By the clock of the server that wrote it.
    pub time: Timestamp,
    /// Hash of the stored payload before it.
    pub previous: String,
    /// Hash of its own stored payload.
    pub hash: String,
}

/// An entry with the bytes to store. It names the entry before it, so it fits in one place only.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) entry: Entry,
    /// One line of JSON, without a newline.
    pub(crate) payload: String,
}

/// The stored form of an entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    format: u64,
    revision: u64,
    #[serde(default)]
    action: Action,
    #[serde(default)]
    forced: bool,
    profiles: Vec<ProfileState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved: Option<Moved>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<Skipped>,
    author: String,
    reason: String,
    time: String,
    idempotency_key: String,
    request_digest: String,
    previous: String,
}

/// The part of a payload that every format has.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// Why a payload cannot be read as an entry.
#[derive(Debug, PartialEq)]
pub(crate) enum Unreadable {
    Corrupt(String),
    TooNew(u64),
}

impl Sealed {
    /// Gives a change its place after the entry with hash `previous`.
    pub(crate) fn new(
        revision: u64,
        previous: &str,
        change: Change,
        cause: Cause,
        time: Timestamp,
    ) -> Result<Self, serde_json::Error> {
        let plain = change.moved.is_none() && change.skipped.is_empty();
        let stored = Payload {
            format: if plain { PLAIN_FORMAT } else { FORMAT },
            revision,
            action: change.action,
            forced: change.forced,
            profiles: change.profiles,
            moved: change.moved,
            skipped: change.skipped,
            author: cause.author,
            reason: cause.reason,
            time: time.to_string(),
            idempotency_key: cause.idempotency_key,
            request_digest: cause.request_digest,
            previous: previous.to_owned(),
        };
        let payload = serde_json::to_string(&stored)?;
        let hash = digest(payload.as_bytes());
        Ok(Self {
            entry: Entry::from_payload(stored, time, hash),
            payload,
        })
    }
}

impl Entry {
    /// Reads a stored payload and checks that its hash is `hash`.
    pub(crate) fn open(payload: &[u8], hash: &[u8]) -> Result<Self, Unreadable> {
        let found = digest(payload);
        if found.as_bytes() != hash {
            return Err(Unreadable::Corrupt(
                "the hash does not match the content".to_owned(),
            ));
        }
        let unreadable = |error: serde_json::Error| {
            Unreadable::Corrupt(format!("the payload cannot be read: {error}"))
        };
        let Format { format } = serde_json::from_slice(payload).map_err(unreadable)?;
        if format > FORMAT {
            return Err(Unreadable::TooNew(format));
        }
        let stored: Payload = serde_json::from_slice(payload).map_err(unreadable)?;
        let time = stored
            .time
            .parse()
            .map_err(|_| Unreadable::Corrupt("the time cannot be read".to_owned()))?;
        Ok(Self::from_payload(stored, time, found))
    }

    fn from_payload(stored: Payload, time: Timestamp, hash: String) -> Self {
        Self {
            revision: stored.revision,
            change: Change {
                action: stored.action,
                forced: stored.forced,
                profiles: stored.profiles,
                moved: stored.moved,
                skipped: stored.skipped,
            },
            cause: Cause {
                author: stored.author,
                reason: stored.reason,
                idempotency_key: stored.idempotency_key,
                request_digest: stored.request_digest,
            },
            time,
            previous: stored.previous,
            hash,
        }
    }

    /// An entry that cannot be read, at the place that a later entry steps over.
    pub(crate) fn unreadable(revision: u64, bytes: &[u8]) -> Self {
        Self {
            revision,
            change: Change::of_profiles(Action::Unreadable, false, Vec::new()),
            cause: Cause {
                author: String::new(),
                reason: String::new(),
                idempotency_key: String::new(),
                request_digest: String::new(),
            },
            time: Timestamp::default(),
            previous: String::new(),
            hash: digest(bytes),
        }
    }

    /// A profile as this entry, the step of a ramp, leaves it; `state` is any earlier one since the
    /// ramp was started.
    pub(crate) fn after_step(&self, state: &ProfileState) -> ProfileState {
        match (&self.change.moved, self.change.action) {
            (Some(moved), Action::RampStep { step, steps }) => {
                state.after_step(moved.weights.clone(), step, steps)
            }
            _ => state.clone(),
        }
    }

    /// Checks that it is the entry `revision` after the entry with hash `previous`; the error says
    /// what is wrong.
    pub(crate) fn follows(&self, revision: u64, previous: &str) -> Result<(), String> {
        if self.revision != revision {
            return Err(format!(
                "it has revision {} instead of {revision}",
                self.revision
            ));
        }
        // What cannot be read names none before it; the entry that steps over it names its hash.
        if self.previous != previous && self.change.action != Action::Unreadable {
            return Err("it does not follow the entry before it".to_owned());
        }
        Ok(())
    }
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
pub(crate) mod tests;
