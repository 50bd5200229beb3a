//! Entries come back to the bit, whatever wrote them.

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
        moved: None,
        skipped: vec![],
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
        Action::Skip,
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
        for new in [false, true] {
            if new {
                change.moved = Some(Moved {
                    profile: "home".into(),
                    weights: weight(0.75),
                });
                change.skipped = vec![Skipped {
                    revision: 6,
                    hash: digest(b"?"),
                }];
            }
            let sealed = sealed(change.clone(), cause());
            let opened = Entry::open(sealed.payload.as_bytes(), sealed.entry.hash.as_bytes());
            assert_eq!(opened.unwrap(), sealed.entry);
            // A version that does not know the new parts reads all that lack them.
            let format = if new {
                "{\"format\":4,"
            } else {
                "{\"format\":3,"
            };
            assert!(sealed.payload.starts_with(format), "{}", sealed.payload);
        }
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
