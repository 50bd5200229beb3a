//! One entry of the weights log, and the payload that stores it. The hash of an entry is that of
//! its stored bytes, and every entry names the hash of the one before it.

use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::profile::{Action, ProfileState};

/// The format of the payloads that are written, and the newest one that is read. Format 1 had
/// weights only; format 2 had no segments, experiments or exploration. An entry that lacks a part
/// is read as "set, not forced, bound to nothing, no ramp, the same weights for all".
pub(crate) const FORMAT: u64 = 3;
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
        let stored = Payload {
            format: FORMAT,
            revision,
            action: change.action,
            forced: change.forced,
            profiles: change.profiles,
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

    /// Checks that it is the entry `revision` after the entry with hash `previous`; the error says
    /// what is wrong.
    pub(crate) fn follows(&self, revision: u64, previous: &str) -> Result<(), String> {
        if self.revision != revision {
            return Err(format!(
                "it has revision {} instead of {revision}",
                self.revision
            ));
        }
        if self.previous != previous {
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
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        audience::{Arm, Condition, Experiment, Exploration, Segment, Test, Value},
        profile::Ramp,
        weight::{ModelBinding, ObjectiveWeight},
    };

    /// A change of the profile "default" to one weight.
    pub(crate) fn change(weight: f64) -> Change {
        Change {
            action: Action::Set,
            forced: false,
            profiles: vec![ProfileState {
                profile: "default".into(),
                weights: vec![ObjectiveWeight {
                    objective: "engagement".into(),
                    weight,
                }],
                bindings: vec![],
                ramp: None,
                segments: vec![],
                experiments: vec![],
                exploration: None,
            }],
        }
    }

    pub(crate) fn cause() -> Cause {
        Cause {
            author: "ana".into(),
            reason: "a test".into(),
            idempotency_key: String::new(),
            request_digest: digest(b"request"),
        }
    }

    fn sealed(change: Change, cause: Cause) -> Sealed {
        let time = Timestamp {
            seconds: 1_700_000_000,
            nanos: 5,
        };
        Sealed::new(7, NO_HASH, change, cause, time).unwrap()
    }

    proptest! {
        #[test]
        fn a_sealed_entry_opens_to_the_bit(weight in any::<f64>().prop_filter("finite", |w| w.is_finite()), reason in ".*") {
            let sealed = sealed(change(weight), Cause { reason, ..cause() });
            prop_assert!(!sealed.payload.contains('\n'), "a newline in a reason must not end the line");
            let opened = Entry::open(sealed.payload.as_bytes(), sealed.entry.hash.as_bytes()).unwrap();
            prop_assert_eq!(opened.change.profiles[0].weights[0].weight.to_bits(), weight.to_bits());
            prop_assert_eq!(opened, sealed.entry);
        }

        #[test]
        fn any_flipped_bit_is_found(at in 0_usize..400, bit in 0_u8..8) {
            let sealed = sealed(change(-0.5), cause());
            let mut bytes = sealed.payload.into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(matches!(Entry::open(&bytes, sealed.entry.hash.as_bytes()), Err(Unreadable::Corrupt(_))));
        }
    }

    #[test]
    fn every_part_of_a_profile_and_every_action_is_kept() {
        let weight = |weight| {
            vec![ObjectiveWeight {
                objective: "engagement".into(),
                weight,
            }]
        };
        for action in [
            Action::Set,
            Action::Rollback { of: 3 },
            Action::RampStarted,
            Action::RampStep { step: 5, steps: 10 },
            Action::RampStopped,
            Action::Kill,
        ] {
            let mut change = change(1.5);
            (change.action, change.forced) = (action, true);
            change.profiles[0].bindings = vec![ModelBinding {
                objective: "engagement".into(),
                model_version: "0f3a".into(),
                calibrator: "platt-1".into(),
            }];
            change.profiles[0].ramp = Some(Ramp {
                from: weight(1.0),
                to: weight(2.0),
                base_rates: vec![0.1],
                step: 5,
                steps: 10,
                started_ms: 1_700_000_000_123,
                duration_ms: 60_000,
                author: "ana".into(),
                reason: "slowly".into(),
            });
            change.profiles[0].segments = vec![Segment {
                name: "new".into(),
                conditions: vec![
                    Condition {
                        attribute: "user_tier".into(),
                        test: Test::AnyOf(vec![Value::Text("3".into()), Value::Number(3.0)]),
                    },
                    Condition {
                        attribute: "user_age".into(),
                        test: Test::Range {
                            at_least: None,
                            below: Some(0.1 + 0.2),
                        },
                    },
                ],
                weights: weight(0.25),
            }];
            change.profiles[0].experiments = vec![Experiment {
                name: "layout".into(),
                salt: "\u{0}ü".into(),
                segment: Some("new".into()),
                arms: vec![Arm {
                    name: "b".into(),
                    weights: weight(0.5),
                }],
                buckets: vec![(Some(0), 1), (None, 9_999)],
            }];
            change.profiles[0].exploration = Some(Exploration {
                low: 0.1,
                high: 1e9,
                log_uniform: true,
                arm: Some("layout/b".into()),
                seed: u64::MAX,
            });
            let sealed = sealed(change, cause());
            let opened = Entry::open(sealed.payload.as_bytes(), sealed.entry.hash.as_bytes());
            assert_eq!(opened.unwrap(), sealed.entry);
        }
    }

    #[test]
    fn a_payload_of_the_first_format_still_opens() {
        let payload = r#"{"format":1,"revision":7,"profiles":[{"profile":"default","weights":[{"objective":"engagement","weight":-0.5}]}],"author":"ana","reason":"r","time":"2023-11-14T22:13:20Z","idempotency_key":"","request_digest":"","previous":"0000000000000000000000000000000000000000000000000000000000000000"}"#;
        let entry = Entry::open(payload.as_bytes(), digest(payload.as_bytes()).as_bytes()).unwrap();
        let change = &entry.change;
        assert_eq!((change.action, change.forced), (Action::Set, false));
        assert_eq!(change.profiles[0].weights[0].weight, -0.5);
        assert!(change.profiles[0].bindings.is_empty() && change.profiles[0].ramp.is_none());
    }

    #[test]
    fn a_payload_of_the_second_format_still_opens() {
        let payload = r#"{"format":2,"revision":7,"action":{"rollback":{"of":3}},"forced":true,"profiles":[{"profile":"default","weights":[{"objective":"engagement","weight":-0.5}],"binding":[{"objective":"engagement","model_version":"v1","calibrator":""}],"ramp":{"from":[{"objective":"engagement","weight":-0.5}],"to":[{"objective":"engagement","weight":-1.0}],"base_rates":[1.0],"step":0,"steps":2,"started_ms":5,"duration_ms":10,"author":"ana","reason":"r"}}],"author":"ana","reason":"r","time":"2023-11-14T22:13:20Z","idempotency_key":"k","request_digest":"d","previous":"0000000000000000000000000000000000000000000000000000000000000000"}"#;
        let entry = Entry::open(payload.as_bytes(), digest(payload.as_bytes()).as_bytes()).unwrap();
        let profile = &entry.change.profiles[0];
        assert_eq!(entry.change.action, Action::Rollback { of: 3 });
        assert_eq!(profile.bindings[0].model_version, "v1");
        assert!(profile.ramp.is_some() && profile.segments.is_empty());
        assert!(profile.experiments.is_empty() && profile.exploration.is_none());
    }

    #[test]
    fn a_newer_format_is_not_taken_for_corruption() {
        let payload = r#"{"format":99,"anything":[]}"#.as_bytes();
        assert_eq!(
            Entry::open(payload, digest(payload).as_bytes()),
            Err(Unreadable::TooNew(99))
        );
    }
}
