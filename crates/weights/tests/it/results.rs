//! What a change makes of a profile, and what it leaves as it is.

use counterweight_weights::{
    AudienceChange, Command, Condition, ExperimentChange, ProfileState, RampPlan, Restored,
    Segment, StoreError, Test, Value, shares,
};

use crate::log::{
    Log, at, base, change, experiment, experiments, exploration, german, profile, segments, served,
    weights,
};

#[test]
fn what_a_change_does_not_name_stays() {
    let mut log = Log::new();
    let bound = log.set(&base(&[("bait", -1.0)]));
    assert_eq!(bound.bindings.len(), 2);
    log.context.served.clear();
    let first = log.set(&segments(vec![german("s", &[("bait", -1.5)])]));
    assert_eq!(
        (first.weights, first.bindings),
        (bound.weights.clone(), bound.bindings.clone()),
        "nothing is asked of the models"
    );
    let second = log.set(&experiments(vec![experiment(
        "e",
        Some("s"),
        &[("a", 5_000, &[("bait", -2.0)]), ("b", 5_000, &[])],
    )]));
    assert_eq!(second.segments, first.segments);
    let third = log.set(&exploration(0.5, 1.5, false, Some("e/b")));
    assert_eq!(
        (&third.segments, &third.experiments),
        (&second.segments, &second.experiments)
    );
    log.context.served = served();
    let fourth = log.set(&base(&[("bait", -1.2)]));
    assert_eq!(
        (&fourth.segments, &fourth.experiments, &fourth.exploration),
        (&third.segments, &third.experiments, &third.exploration)
    );

    // What others name cannot be taken away alone.
    assert!(
        log.refusal(&segments(vec![]))
            .contains("experiment \"e\": is for segment \"s\", which does not exist")
    );
    assert!(
        log.refusal(&experiments(vec![]))
            .contains("exploration: is for arm \"e/b\"")
    );
    let none = AudienceChange {
        segments: Some(vec![]),
        experiments: Some(vec![]),
        exploration: Some(None),
    };
    let bare = log.set(&change(none));
    assert!(bare.segments.is_empty() && bare.experiments.is_empty() && bare.exploration.is_none());

    let restored = Restored {
        at: at(""),
        then: Some((4, third.clone())),
    };
    let rollback = Command::Rollback {
        revision: 4,
        profiles: vec![restored],
    };
    let rolled = log.commit(rollback).unwrap();
    assert_eq!(rolled.profiles[0], third, "the whole state of then");
    let killed = log.commit(Command::Kill(String::new())).unwrap();
    let killed = &killed.profiles[0];
    assert!(
        killed.segments.is_empty() && killed.experiments.is_empty() && killed.exploration.is_none(),
        "the safe set is for everybody"
    );
}

#[test]
fn what_was_set_for_some_binds_later_changes_too() {
    let log = Log::new();
    // Without engagement they rank by bait alone, which then must not become 0.
    log.set(&segments(vec![german("s", &[("engagement", 0.0)])]));
    let zero = log.refusal(&base(&[("bait", 0.0)]));
    assert!(
        zero.contains("segment \"s\": the weights of its requests are all zero"),
        "{zero}"
    );
    let ramp = |to: &[(&str, f64)]| RampPlan {
        at: at(""),
        target: weights(to),
        duration_ms: 1000,
        steps: 0,
        started_ms: 0,
        author: "ana".into(),
        reason: "r".into(),
    };
    let refused = |log: &Log, plan| {
        let outcome = log.commit(Command::StartRamp(plan));
        outcome.unwrap_err().to_string()
    };
    assert!(
        refused(&log, ramp(&[("bait", 0.0)]))
            .contains("segment \"s\": the weights of its requests are all zero")
    );

    // Where λ is at most 3, α must not pass 4/3.
    let mut log = Log::new();
    log.set(&exploration(0.0, 3.0, false, None));
    let refusal = log.refusal(&base(&[("engagement", 1.5)]));
    assert!(
        refusal
            .contains("exploration, objective \"bait\": the weight is -4.5, below its minimum -4"),
        "{refusal}"
    );
    assert!(
        log.refusal(&segments(vec![german("s", &[("engagement", 1.5)])]))
            .contains("segment \"s\" under exploration, objective \"bait\": the weight is -4.5")
    );
    let refusal = refused(&log, ramp(&[("engagement", 1.5)]));
    assert!(refusal.contains("the weight is -4.5"), "{refusal}");
    log.context.forced = true;
    let forced = log.commit(Command::StartRamp(ramp(&[("engagement", 1.5)])));
    assert!(forced.is_ok(), "{forced:?}");

    // Only the arm that explores has to keep it.
    let log = Log::new();
    let both = AudienceChange {
        experiments: Some(vec![experiment(
            "e",
            None,
            &[("a", 5_000, &[]), ("b", 5_000, &[("engagement", 1.0)])],
        )]),
        exploration: exploration(0.0, 3.0, false, Some("e/b"))
            .audience
            .exploration,
        ..Default::default()
    };
    log.set(&change(both));
    log.set(&base(&[("engagement", 1.5)]));
}

#[test]
fn a_segment_or_arm_goes_in_steps_from_where_it_was() {
    let log = Log::new();
    log.set(&segments(vec![german("s", &[("bait", -1.5)])]));
    log.set(&segments(vec![german("s", &[("bait", -2.5)])]));
    // A new segment starts where the profile is, and a new arm where its segment is.
    assert!(
        log.refusal(&segments(vec![german("t", &[("bait", -2.5)])]))
            .contains("from -0.5 to -2.5")
    );
    log.set(&experiments(vec![experiment(
        "e",
        Some("s"),
        &[("a", 1, &[("bait", -3.5)])],
    )]));
    assert!(
        log.refusal(&experiments(vec![experiment(
            "e",
            None,
            &[("a", 1, &[("bait", -3.5)])]
        )]))
        .contains("arm \"e/a\", objective \"bait\"")
    );
    // Who leaves a segment's weight to the profile moves with it.
    let log = Log::new();
    log.set(&segments(vec![german("s", &[("engagement", 2.0)])]));
    assert!(
        log.refusal(&base(&[("bait", -1.6)]))
            .contains("from -0.5 to -1.6")
    );
}

#[test]
fn changed_shares_keep_the_salt_and_as_many_buckets_as_they_can() {
    let log = Log::new();
    let run = |change: ExperimentChange| log.set(&experiments(vec![change])).experiments.remove(0);
    let first = run(experiment(
        "e",
        None,
        &[("a", 1_000, &[]), ("b", 1_000, &[])],
    ));
    assert_eq!(
        (first.salt.as_str(), first.buckets.as_slice()),
        (
            "salt of e",
            &[(Some(0), 1_000), (Some(1), 1_000), (None, 8_000)][..]
        )
    );
    // Arms are known by name, whatever their order.
    let mut wider = experiment("e", None, &[("b", 3_000, &[]), ("a", 500, &[])]);
    wider.new_salt = "another".into();
    let second = run(wider);
    assert_eq!(second.salt, first.salt);
    assert_eq!(
        second.buckets,
        [(Some(1), 500), (Some(0), 3_000), (None, 6_500)]
    );
    assert_eq!(shares(&second.buckets, 2), [3_000, 500]);
    let mut salted = experiment("e", None, &[("a", 500, &[]), ("c", 500, &[])]);
    salted.salt = Some("mine".into());
    let third = run(salted);
    assert_eq!(
        (third.salt.as_str(), third.buckets.as_slice()),
        ("mine", &[(Some(0), 500), (Some(1), 500), (None, 9_000)][..])
    );
}

#[test]
fn a_state_is_kept_to_the_bit_and_what_is_no_longer_configured_is_left_out() {
    let log = Log::new();
    let both = AudienceChange {
        segments: Some(vec![
            german("s", &[("bait", -0.1 - 0.2)]),
            Segment {
                conditions: vec![
                    Condition {
                        attribute: "user_age".into(),
                        test: Test::Range {
                            at_least: Some(0.1),
                            below: None,
                        },
                    },
                    Condition {
                        attribute: "user_tier".into(),
                        test: Test::AnyOf(vec![Value::Number(3.0), Value::Text("3".into())]),
                    },
                ],
                ..german("t", &[])
            },
        ]),
        experiments: Some(vec![experiment(
            "e",
            Some("s"),
            &[("a", 3, &[("engagement", 0.1 + 0.2)]), ("b", 0, &[])],
        )]),
        exploration: exploration(0.1, 0.7, true, Some("e/a"))
            .audience
            .exploration,
    };
    let state = log.set(&change(both));
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(
        serde_json::from_str::<ProfileState>(&text).unwrap(),
        state,
        "{text}"
    );

    // Another configuration, which knows no bait.
    let narrow = || vec![profile("default", &[("engagement", 1.0)])];
    let live = log.reopened(narrow()).unwrap();
    let in_force = live.in_force(0);
    assert_eq!(
        (in_force.segments.len(), in_force.segments[0].weights.len()),
        (2, 0)
    );
    assert!(in_force.exploration.is_none());
    assert_eq!(in_force.experiments[0].arms[0].weights.len(), 1);

    // Where that leaves some with nothing to rank by, it is refused as it is for the profile
    // itself.
    let mut log = Log::new();
    log.context.forced = true;
    log.set(&segments(vec![german(
        "s",
        &[("engagement", 0.0), ("bait", -1.0)],
    )]));
    let Err(StoreError::Mismatch(mismatch)) = log.reopened(narrow()) else {
        panic!("a log that leaves nothing to rank by is opened")
    };
    assert_eq!(
        (mismatch.profile.as_str(), mismatch.revision),
        ("default", 1)
    );
}
