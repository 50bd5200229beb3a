//! One entry of the weights log, and the line it is stored as: `<SHA-256 of the payload> <payload as JSON>\n`.

use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The newest payload format that is read, and the one that is written.
pub(super) const FORMAT: u64 = 1;
/// The hash that the first entry names as the one before it.
pub(super) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const HASH_DIGITS: usize = 64;

/// One change of weights: durable, numbered and chained to the one before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Sequence number, from 1.
    pub(crate) revision: u64,
    /// The whole weights of every profile that it replaces.
    pub(crate) profiles: Vec<ProfileWeights>,
    pub(crate) author: String,
    pub(crate) reason: String,
    /// By the clock of the server that wrote it.
    pub(crate) time: Timestamp,
    /// Empty means none.
    pub(crate) idempotency_key: String,
    /// Digest of the request that made it, to tell a repeat from another change under the same key.
    pub(crate) request_digest: String,
    /// Hash of the stored payload before it.
    pub(crate) previous: String,
    /// Hash of its own stored payload.
    pub(crate) hash: String,
}

/// The whole weights of one profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileWeights {
    pub(crate) profile: String,
    /// In objective order.
    pub(crate) weights: Vec<ObjectiveWeight>,
}

/// The weight of one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectiveWeight {
    pub(crate) objective: String,
    pub(crate) weight: f64,
}

/// What is stored of an entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    format: u64,
    revision: u64,
    profiles: Vec<ProfileWeights>,
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

/// Why a line is no entry.
#[derive(Debug, PartialEq)]
pub(super) enum LineError {
    Corrupt(String),
    TooNew(u64),
}

impl Entry {
    /// The line it is stored as; sets the entry's hash.
    pub(super) fn seal(&mut self) -> Result<String, serde_json::Error> {
        let payload = serde_json::to_string(&Payload {
            format: FORMAT,
            revision: self.revision,
            profiles: self.profiles.clone(),
            author: self.author.clone(),
            reason: self.reason.clone(),
            time: self.time.to_string(),
            idempotency_key: self.idempotency_key.clone(),
            request_digest: self.request_digest.clone(),
            previous: self.previous.clone(),
        })?;
        self.hash = digest(payload.as_bytes());
        Ok(format!("{} {payload}\n", self.hash))
    }

    /// Reads a line without its newline, and checks its hash.
    pub(super) fn open(line: &[u8]) -> Result<Self, LineError> {
        let corrupt = |what: &str| LineError::Corrupt(what.to_owned());
        let (hash, rest) = line
            .split_at_checked(HASH_DIGITS)
            .ok_or_else(|| corrupt("the line is too short"))?;
        let payload = rest
            .strip_prefix(b" ")
            .ok_or_else(|| corrupt("no space after the hash"))?;
        let found = digest(payload);
        if found.as_bytes() != hash {
            return Err(corrupt("the hash is not that of the content"));
        }
        let unreadable = |error: serde_json::Error| {
            LineError::Corrupt(format!("the payload is not readable: {error}"))
        };
        let Format { format } = serde_json::from_slice(payload).map_err(unreadable)?;
        if format > FORMAT {
            return Err(LineError::TooNew(format));
        }
        let payload: Payload = serde_json::from_slice(payload).map_err(unreadable)?;
        let time = payload
            .time
            .parse()
            .map_err(|_| corrupt("the time is not readable"))?;
        Ok(Self {
            revision: payload.revision,
            profiles: payload.profiles,
            author: payload.author,
            reason: payload.reason,
            time,
            idempotency_key: payload.idempotency_key,
            request_digest: payload.request_digest,
            previous: payload.previous,
            hash: found,
        })
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(weight: f64, reason: &str) -> Entry {
        Entry {
            revision: 7,
            profiles: vec![ProfileWeights {
                profile: "default".into(),
                weights: vec![ObjectiveWeight {
                    objective: "engagement".into(),
                    weight,
                }],
            }],
            author: "ana".into(),
            reason: reason.into(),
            time: Timestamp {
                seconds: 1_700_000_000,
                nanos: 5,
            },
            idempotency_key: String::new(),
            request_digest: digest(b"request"),
            previous: NO_HASH.into(),
            hash: String::new(),
        }
    }

    proptest! {
        #[test]
        fn a_sealed_entry_opens_to_the_bit(weight in any::<f64>().prop_filter("finite", |w| w.is_finite()), reason in ".*") {
            let mut entry = entry(weight, &reason);
            let line = entry.seal().unwrap();
            prop_assert_eq!(line.matches('\n').count(), 1, "a newline in a reason must not end the line");
            let opened = Entry::open(line.trim_end_matches('\n').as_bytes()).unwrap();
            prop_assert_eq!(opened.profiles[0].weights[0].weight.to_bits(), weight.to_bits());
            prop_assert_eq!(opened, entry);
        }

        #[test]
        fn any_flipped_bit_is_found(at in 0_usize..400, bit in 0_u8..8) {
            let line = entry(-0.5, "less bait").seal().unwrap();
            let mut bytes = line.into_bytes();
            bytes.pop();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(matches!(Entry::open(&bytes), Err(LineError::Corrupt(_))));
        }
    }

    #[test]
    fn a_newer_format_is_told_apart_from_corruption() {
        let payload = r#"{"format":2,"ramps":[]}"#;
        let line = format!("{} {payload}", digest(payload.as_bytes()));
        assert_eq!(Entry::open(line.as_bytes()), Err(LineError::TooNew(2)));
    }
}
