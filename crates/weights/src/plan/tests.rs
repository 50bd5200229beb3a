//! Changes of segments, experiments and exploration: what is refused and how that is said, and what stays as it is.

use std::{path::Path, sync::Arc};

use counterweight_ranking::{Bound, Weights};

use super::*;
use crate::{
    audience::{Arm, Condition, Exploration, Segment, Test, Value, shares},
    entry::{Cause, Change, NO_HASH, Sealed},
    profile::{Action, ObjectiveWeight},
    test_config::{self, column},
};

fn served() -> HashMap<String, ModelIdentity> {
    ["engagement", "bait"]
        .map(|name| (name.to_owned(), column()))
        .into()
}

/// A planner over a log that grows.
struct Log {
    planner: Planner,
    state: LogState,
}

impl Log {
    fn new() -> Self {
        let mut default = test_config::profile("default", &[("engagement", 1.0), ("bait", -0.5)]);
        default.safe = Some(Weights::new(vec![1.0, -2.0]).unwrap());
        default.bounds = vec![
            Bound {
                min: 0.0,
                max: 2.0,
                ..Bound::default()
            },
            Bound {
                min: -4.0,
                max: 0.0,
                max_step: 1.0,
            },
        ];
        let single = test_config::profile("single", &[("engagement", 1.0)]);
        let config = test_config::config(Path::new(""), vec![default, single]);
        let text = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            planner: Planner {
                config: Arc::new(config),
                context: Context {
                    served: served(),
                    attributes: KnownAttributes {
                        context: text(&["user_country", "user_age", "user_tier"]),
                        candidate: text(&["views"]),
                        complete: true,
                    },
                    forced: false,
                },
            },
            state: LogState::new(),
        }
    }

    fn forced(&self) -> Planner {
        self.planner.forced()
    }

    fn record(&mut self, change: Change) {
        let cause = Cause {
            author: "ana".into(),
            reason: "r".into(),
            idempotency_key: String::new(),
            request_digest: String::new(),
        };
        let last = self.state.last;
        let hash = match last {
            0 => NO_HASH.to_owned(),
            _ => self.state.last_hash.clone(),
        };
        let sealed = Sealed::new(last + 1, &hash, change, cause, Default::default()).unwrap();
        self.state.record(&sealed.entry);
    }

    fn set(&mut self, change: &ProfileChange) -> ProfileState {
        let change = self
            .planner
            .set(&self.state, std::slice::from_ref(change))
            .unwrap();
        let state = change.profiles[0].clone();
        self.record(change);
        state
    }

    fn refusal(&self, change: &ProfileChange) -> String {
        let outcome = self.planner.set(&self.state, std::slice::from_ref(change));
        outcome.unwrap_err().to_string()
    }
}

fn at(profile: &str) -> ProfileAt {
    ProfileAt {
        profile: profile.into(),
        expected_revision: None,
    }
}

fn change(audience: AudienceChange) -> ProfileChange {
    ProfileChange {
        at: at(""),
        weights: vec![],
        binding: vec![],
        confirm_models: false,
        audience,
    }
}

fn weights(weights: &[(&str, f64)]) -> Vec<ObjectiveWeight> {
    let weights = weights.iter();
    weights
        .map(|&(objective, weight)| ObjectiveWeight {
            objective: objective.into(),
            weight,
        })
        .collect()
}

fn base(sets: &[(&str, f64)]) -> ProfileChange {
    ProfileChange {
        weights: weights(sets),
        ..change(AudienceChange::default())
    }
}

fn german(name: &str, sets: &[(&str, f64)]) -> Segment {
    Segment {
        name: name.into(),
        conditions: vec![Condition {
            attribute: "user_country".into(),
            test: Test::AnyOf(vec![Value::Text("DE".into())]),
        }],
        weights: weights(sets),
    }
}

fn segments(segments: Vec<Segment>) -> ProfileChange {
    change(AudienceChange {
        segments: Some(segments),
        ..Default::default()
    })
}

fn asking(attribute: &str, test: Test) -> ProfileChange {
    let mut segment = german("s", &[]);
    segment.conditions = vec![Condition {
        attribute: attribute.into(),
        test,
    }];
    segments(vec![segment])
}

type Arms<'a> = &'a [(&'a str, u32, &'a [(&'a str, f64)])];

fn experiment(name: &str, segment: Option<&str>, arms: Arms<'_>) -> ExperimentChange {
    ExperimentChange {
        name: name.into(),
        salt: None,
        new_salt: format!("salt of {name}"),
        segment: segment.map(Into::into),
        arms: arms
            .iter()
            .map(|&(name, buckets, sets)| {
                let arm = Arm {
                    name: name.into(),
                    weights: weights(sets),
                };
                (arm, buckets)
            })
            .collect(),
    }
}

fn experiments(experiments: Vec<ExperimentChange>) -> ProfileChange {
    change(AudienceChange {
        experiments: Some(experiments),
        ..Default::default()
    })
}

fn exploration(low: f64, high: f64, log_uniform: bool, arm: Option<&str>) -> ProfileChange {
    change(AudienceChange {
        exploration: Some(Some(Exploration {
            low,
            high,
            log_uniform,
            arm: arm.map(Into::into),
            seed: 9,
        })),
        ..Default::default()
    })
}

#[test]
fn every_refusal_says_where_it_is_and_what_to_do() {
    let any = |values: &[Value]| Test::AnyOf(values.to_vec());
    let de = || any(&[Value::Text("DE".into())]);
    let range = |at_least, below| Test::Range { at_least, below };
    let mut unconditional = german("s", &[]);
    unconditional.conditions.clear();
    let cases = [
        (
            segments(vec![german("a b", &[])]),
            "segment \"a b\": is no name; send 1 to 64 letters",
        ),
        (segments(vec![german("", &[])]), "segment \"\": is no name"),
        (segments(vec![german(&"x".repeat(65), &[])]), "is no name"),
        (
            segments(vec![german("s", &[]), german("s", &[])]),
            "segment \"s\": is sent twice",
        ),
        (
            segments((0..101).map(|at| german(&format!("s{at}"), &[])).collect()),
            "segments: there are 101; send at most 100",
        ),
        (
            segments(vec![unconditional]),
            "segment \"s\": has no condition",
        ),
        (asking("", de()), "attribute \"\": is empty"),
        (
            asking("user_contry", de()),
            "segment \"s\", attribute \"user_contry\": no model takes it (did you mean \"user_country\"?); correct its name, or write it into `attributes`",
        ),
        (
            asking("views", de()),
            "attribute \"views\": is a feature of the candidates",
        ),
        (
            asking("user_age", any(&[])),
            "attribute \"user_age\": has no value to compare with",
        ),
        (
            asking("user_age", any(&[Value::Number(f64::NAN)])),
            "is compared with NaN; send a finite number",
        ),
        (
            asking("user_age", any(&[Value::Text(String::new())])),
            "is compared with an empty text",
        ),
        (
            asking("user_age", any(&vec![Value::Number(1.0); 1001])),
            "has 1001 values to compare with; send at most 1000",
        ),
        (
            asking("user_age", range(None, None)),
            "has a range without ends",
        ),
        (
            asking("user_age", range(Some(f64::NEG_INFINITY), None)),
            "has a range whose end is not finite",
        ),
        (
            asking("user_age", range(Some(3.0), Some(3.0))),
            "has an empty range, at least 3 and below 3",
        ),
        (
            segments(vec![german("s", &[("bate", -1.0)])]),
            "segment \"s\": the profile has no objective \"bate\" (did you mean \"bait\"?); its objectives are engagement, bait",
        ),
        (
            segments(vec![german("s", &[("bait", -1.0), ("bait", -1.0)])]),
            "segment \"s\": objective \"bait\" is sent twice",
        ),
        (
            segments(vec![german("s", &[("bait", f64::INFINITY)])]),
            "segment \"s\": the weight of objective \"bait\" is inf; send a finite number",
        ),
        (
            segments(vec![german("s", &[("engagement", 0.0), ("bait", 0.0)])]),
            "segment \"s\": the weights of its requests are all zero",
        ),
        (
            segments(vec![german("s", &[("engagement", 2.5)])]),
            "segment \"s\", objective \"engagement\": the weight is 2.5, above its maximum 2",
        ),
        (
            segments(vec![german("s", &[("bait", -2.0)])]),
            "segment \"s\", objective \"bait\": the weight would go from -0.5 to -2 in one step, and its largest step is 1",
        ),
        (
            experiments(vec![experiment("e", None, &[])]),
            "experiment \"e\": has no arm",
        ),
        (
            experiments(vec![experiment("e/x", None, &[("a", 1, &[])])]),
            "experiment \"e/x\": is no name",
        ),
        (
            experiments(vec![experiment("e", None, &[("a", 1, &[]), ("a", 1, &[])])]),
            "experiment \"e\", arm \"a\": is sent twice",
        ),
        (
            experiments(vec![experiment(
                "e",
                None,
                &[("a", 9_000, &[]), ("b", 1_001, &[])],
            )]),
            "experiment \"e\": its arms have 10001 buckets; there are 10000",
        ),
        (
            experiments(vec![experiment(
                "e",
                None,
                &[("a", u32::MAX, &[]), ("b", u32::MAX, &[])],
            )]),
            "buckets; there are 10000",
        ),
        (
            experiments(vec![experiment("e", Some("german"), &[("a", 1, &[])])]),
            "experiment \"e\": takes only segment \"german\", which is not there",
        ),
        (
            experiments(vec![experiment("e", None, &[("a", 1, &[("x", 1.0)])])]),
            "experiment \"e\", arm \"a\": the profile has no objective \"x\"",
        ),
        (
            experiments(vec![experiment("e", None, &[("a", 1, &[("bait", -9.0)])])]),
            "arm \"e/a\", objective \"bait\": the weight is -9, below its minimum -4",
        ),
        (
            experiments(vec![ExperimentChange {
                salt: Some("x".repeat(257)),
                ..experiment("e", None, &[("a", 1, &[])])
            }]),
            "experiment \"e\": its salt has 257 bytes",
        ),
        (exploration(1.0, 0.5, false, None), "exploration: "),
        (exploration(-1.0, 0.5, false, None), "exploration: "),
        (exploration(0.0, 0.5, true, None), "exploration: "),
        (
            exploration(0.0, f64::INFINITY, false, None),
            "exploration: ",
        ),
        (
            exploration(0.0, 4.5, false, None),
            "exploration, objective \"bait\": the weight is -4.5, below its minimum -4",
        ),
        (
            exploration(0.0, 1.0, false, Some("e/a")),
            "exploration: takes only arm \"e/a\", which is not there",
        ),
        (
            ProfileChange {
                at: at("single"),
                ..exploration(0.0, 1.0, false, None)
            },
            "profile \"single\", exploration: needs a second objective",
        ),
        (base(&[]), "no weight is sent; send at least one"),
    ];
    let log = Log::new();
    for (change, expected) in cases {
        let refusal = log.refusal(&change);
        assert!(refusal.contains(expected), "{refusal}\nlacks {expected}");
        assert!(refusal.starts_with("profile \""), "{refusal}");
    }
}

#[test]
fn force_passes_bounds_and_nothing_else() {
    let log = Log::new();
    let forced = log.forced();
    let outcome = |change: &ProfileChange| forced.set(&log.state, std::slice::from_ref(change));
    for change in [
        segments(vec![german("s", &[("bait", -9.0)])]),
        exploration(0.0, 400.0, false, None),
    ] {
        assert!(outcome(&change).is_ok(), "{change:?}");
    }
    let mut overflowing = segments(vec![german("s", &[("engagement", f64::MAX)])]);
    overflowing.audience.exploration = exploration(1.0, 10.0, false, None).audience.exploration;
    for change in [
        segments(vec![german("s", &[("engagement", 0.0), ("bait", 0.0)])]),
        experiments(vec![experiment("e", Some("gone"), &[("a", 1, &[])])]),
        overflowing,
    ] {
        assert!(outcome(&change).is_err(), "{change:?}");
    }
}

#[test]
fn an_attribute_passes_while_a_model_has_not_said_what_it_takes() {
    let mut log = Log::new();
    log.planner.context.attributes.complete = false;
    let test = || Test::AnyOf(vec![Value::Number(1.0)]);
    log.set(&asking("user_mystery", test()));
    assert!(
        log.refusal(&asking("views", test()))
            .contains("of the candidates")
    );
}

#[test]
fn what_a_change_does_not_name_stays() {
    let mut log = Log::new();
    let bound = log.set(&base(&[("bait", -1.0)]));
    assert_eq!(bound.binding.len(), 2);
    log.planner.context.served.clear();
    let first = log.set(&segments(vec![german("s", &[("bait", -1.5)])]));
    assert_eq!(
        (first.weights, first.binding),
        (bound.weights.clone(), bound.binding.clone()),
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
    log.planner.context.served = served();
    let fourth = log.set(&base(&[("bait", -1.2)]));
    assert_eq!(
        (&fourth.segments, &fourth.experiments, &fourth.exploration),
        (&third.segments, &third.experiments, &third.exploration)
    );

    // What others name cannot be taken away alone.
    assert!(
        log.refusal(&segments(vec![]))
            .contains("experiment \"e\": takes only segment \"s\", which is not there")
    );
    assert!(
        log.refusal(&experiments(vec![]))
            .contains("exploration: takes only arm \"e/b\"")
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
    let rolled = log
        .planner
        .rollback(&log.state, 4, std::slice::from_ref(&restored))
        .unwrap();
    assert_eq!(rolled.profiles[0], third, "the whole state of then");
    log.record(rolled);
    let killed = log.planner.kill("").unwrap().profiles.remove(0);
    assert!(
        killed.segments.is_empty() && killed.experiments.is_empty() && killed.exploration.is_none(),
        "the safe set is for everybody"
    );
}

#[test]
fn what_was_set_for_some_binds_later_changes_too() {
    let mut log = Log::new();
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
    let refused = |plan: &RampPlan| {
        log.planner
            .start_ramp(&log.state, plan)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused(&ramp(&[("bait", 0.0)]))
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
    let refused = log
        .planner
        .start_ramp(&log.state, &ramp(&[("engagement", 1.5)]))
        .unwrap_err();
    assert!(
        refused.to_string().contains("the weight is -4.5"),
        "{refused}"
    );
    assert!(
        log.forced()
            .start_ramp(&log.state, &ramp(&[("engagement", 1.5)]))
            .is_ok()
    );

    // Only the arm that explores has to keep it.
    let mut log = Log::new();
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
    let mut log = Log::new();
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
    let mut log = Log::new();
    log.set(&segments(vec![german("s", &[("engagement", 2.0)])]));
    assert!(
        log.refusal(&base(&[("bait", -1.6)]))
            .contains("from -0.5 to -1.6")
    );
}

#[test]
fn a_ramp_leaves_out_a_step_that_orders_nothing_for_some() {
    // The middle of five steps from 1 to −1 is where the segment would rank by nothing.
    let mut log = Log::new();
    let forced = log.forced();
    log.planner = forced;
    log.set(&base(&[("engagement", 1.0), ("bait", 1.0)]));
    log.set(&segments(vec![german("s", &[("engagement", 0.0)])]));
    let plan = RampPlan {
        at: at(""),
        target: weights(&[("bait", -1.0)]),
        duration_ms: 4000,
        steps: 4,
        started_ms: 0,
        author: "ana".into(),
        reason: "r".into(),
    };
    let start = log.planner.start_ramp(&log.state, &plan).unwrap();
    log.record(start);
    let position = log.planner.config.profile("").unwrap();
    let mut seen = Vec::new();
    for now in [1000, 2000, 2500, 3000, 4000] {
        let step = log.planner.ramp_step(&log.state, position, now).unwrap();
        if let Some(change) = step {
            let Action::RampStep { step, .. } = change.action else {
                panic!("{change:?}")
            };
            seen.push((now, step));
            log.record(change);
        }
    }
    assert_eq!(seen, [(1000, 1), (3000, 3), (4000, 4)]);
}

#[test]
fn changed_shares_keep_the_salt_and_as_many_buckets_as_they_can() {
    let mut log = Log::new();
    let run = |log: &mut Log, change: ExperimentChange| {
        log.set(&experiments(vec![change])).experiments.remove(0)
    };
    let first = run(
        &mut log,
        experiment("e", None, &[("a", 1_000, &[]), ("b", 1_000, &[])]),
    );
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
    let second = run(&mut log, wider);
    assert_eq!(second.salt, first.salt);
    assert_eq!(
        second.buckets,
        [(Some(1), 500), (Some(0), 3_000), (None, 6_500)]
    );
    assert_eq!(shares(&second.buckets, 2), [3_000, 500]);
    let mut salted = experiment("e", None, &[("a", 500, &[]), ("c", 500, &[])]);
    salted.salt = Some("mine".into());
    let third = run(&mut log, salted);
    assert_eq!(
        (third.salt.as_str(), third.buckets.as_slice()),
        ("mine", &[(Some(0), 500), (Some(1), 500), (None, 9_000)][..])
    );
}

#[test]
fn a_state_is_kept_to_the_bit_and_what_is_no_longer_configured_is_left_out() {
    let mut log = Log::new();
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
    let narrow = CONFIG
        .replace(", bait = -0.5", "")
        .replace(", bait = -2", "")
        .replace("bait = { min = -4.0, max = 0.0, max_step = 1.0 }", "");
    let narrow = Config::parse(&narrow, "test.toml", Path::new("")).unwrap();
    let in_force = InForce::new(&narrow, 0, Some(&(1, state.clone()))).unwrap();
    assert_eq!(
        (in_force.segments.len(), in_force.segments[0].weights.len()),
        (2, 0)
    );
    assert!(in_force.exploration.is_none());
    assert_eq!(in_force.experiments[0].arms[0].weights.len(), 1);
    // Where that leaves some with nothing to rank by, it is refused as it is for the profile itself.
    let mut empty = state;
    empty.segments[0].weights = weights(&[("engagement", 0.0), ("bait", -1.0)]);
    let error = InForce::new(&narrow, 0, Some(&(1, empty))).unwrap_err();
    assert!(matches!(error, PlanError::StoreMismatch { .. }), "{error}");
}
