//! Who gets which weights: order, missing attributes, draws, and that what is explained is what is chosen.

use counterweight_ranking::ope::Density;
use proptest::prelude::*;

use super::*;
use crate::profile::ProfileState;

const OBJECTIVES: [&str; 2] = ["engagement", "bait"];

fn bait(weight: f64) -> Vec<ObjectiveWeight> {
    vec![ObjectiveWeight {
        objective: "bait".into(),
        weight,
    }]
}

fn any_of(attribute: &str, values: &[Value]) -> Condition {
    Condition {
        attribute: attribute.into(),
        test: Test::AnyOf(values.to_vec()),
    }
}

fn range(attribute: &str, at_least: Option<f64>, below: Option<f64>) -> Condition {
    Condition {
        attribute: attribute.into(),
        test: Test::Range { at_least, below },
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn segment(name: &str, conditions: Vec<Condition>, weights: Vec<ObjectiveWeight>) -> Segment {
    Segment {
        name: name.into(),
        conditions,
        weights,
    }
}

fn state() -> ProfileState {
    ProfileState {
        profile: "default".into(),
        weights: vec![],
        binding: vec![],
        ramp: None,
        segments: vec![],
        experiments: vec![],
        exploration: None,
    }
}

fn attribute(name: &str, value: Value) -> Attribute {
    Attribute {
        name: name.into(),
        value,
    }
}

fn chosen_for(state: &ProfileState, attributes: &[Attribute], unit_id: &str) -> Chosen {
    let who = RequestContext {
        attributes,
        unit_id,
        request_id: "r",
    };
    Rules::new(state, &OBJECTIVES).choose(&[1.0, -0.5], who)
}

#[test]
fn the_first_segment_whose_conditions_all_hold_applies() {
    let mut state = state();
    state.segments = vec![
        segment(
            "young germans",
            vec![
                any_of("country", &[text("DE"), text("AT")]),
                range("age", Some(16.0), Some(30.0)),
            ],
            bait(-2.0),
        ),
        segment(
            "germans",
            vec![any_of("country", &[text("DE")])],
            bait(-1.0),
        ),
    ];
    let name = |attributes: &[Attribute]| {
        let chosen = chosen_for(&state, attributes, "");
        (chosen.segment.map(|name| name.to_string()), chosen.weights)
    };
    let country = attribute("country", text("DE"));
    let age = |age: f64| attribute("age", Value::Number(age));
    let young = Some("young germans".to_owned());
    let germans = Some("germans".to_owned());
    assert_eq!(
        name(&[country.clone(), age(16.0)]),
        (young, vec![1.0, -2.0])
    );
    // The lower end is within, the upper one is not; nor is an age that is missing.
    for attributes in [
        vec![country.clone(), age(30.0)],
        vec![country.clone()],
        vec![age(15.9), country.clone()],
    ] {
        assert_eq!(name(&attributes), (germans.clone(), vec![1.0, -1.0]));
    }
    assert_eq!(name(&[age(20.0)]), (None, vec![1.0, -0.5]));
    // Text is no number.
    assert_eq!(
        name(&[attribute("country", Value::Number(1.0)), age(20.0)]).0,
        None
    );
    assert_eq!(name(&[country, attribute("age", text("20"))]).0, germans);
}

#[test]
fn an_arm_replaces_what_the_segment_set_and_an_experiment_may_take_one_segment_only() {
    let arm = |name: &str, weight: f64| Arm {
        name: name.into(),
        weights: bait(weight),
    };
    let experiment = |name: &str, segment: Option<&str>, arm: Arm, buckets| Experiment {
        name: name.into(),
        salt: name.into(),
        segment: segment.map(Into::into),
        arms: vec![arm],
        buckets,
    };
    let mut state = state();
    state.segments = vec![segment(
        "new",
        vec![range("age", None, Some(1.0))],
        bait(-3.0),
    )];
    state.experiments = vec![
        experiment(
            "only-new",
            Some("new"),
            arm("a", -4.0),
            vec![(Some(0), 10_000)],
        ),
        experiment("nobody", None, arm("b", -5.0), vec![(None, 10_000)]),
        experiment("all", None, arm("c", -6.0), vec![(Some(0), 10_000)]),
        // A table that does not name an arm that is there, or ends too soon, has no arm.
        experiment("broken", None, arm("d", -7.0), vec![(Some(9), 5_000)]),
    ];
    let new = [attribute("age", Value::Number(0.5))];
    let of = |attributes: &[Attribute], unit: &str| {
        let chosen = chosen_for(&state, attributes, unit);
        (chosen.arm.map(|arm| arm.to_string()), chosen.weights[1])
    };
    assert_eq!(of(&new, "u"), (Some("only-new/a".into()), -4.0));
    assert_eq!(of(&[], "u"), (Some("all/c".into()), -6.0));
    // Without a unit there is no experiment.
    assert_eq!(of(&new, ""), (None, -3.0));
    assert_eq!(of(&[], ""), (None, -0.5));
}

#[test]
fn a_draw_is_that_of_another_implementation() {
    for case in reference("draws") {
        let number = |key: &str| case[key].as_f64().unwrap();
        let (low, high) = (number("low"), number("high"));
        let exploration = Exploration {
            low,
            high,
            log_uniform: case["kind"] == "log_uniform",
            arm: None,
            seed: case["profile_seed"].as_str().unwrap().parse().unwrap(),
        };
        let request = case["request"].as_str().unwrap();
        let draw = Draw::new(exploration.density(), exploration.seed, request);
        assert_eq!(draw.seed, case["seed"].as_u64().unwrap());
        let expected = number("lambda");
        assert!(
            (draw.lambda - expected).abs() <= 1e-12 * expected,
            "{draw:?}: {case}"
        );
        assert!((low..=high).contains(&draw.lambda));
    }
}

#[test]
fn draws_have_the_density_that_is_logged() {
    let reference = reference("kolmogorov_smirnov");
    let (n, most) = (
        reference[0][0].as_u64().unwrap(),
        reference[0][1].as_f64().unwrap(),
    );
    for density in [
        Density::Uniform {
            low: 0.0,
            high: 2.0,
        },
        Density::LogUniform {
            low: 0.01,
            high: 4.0,
        },
    ] {
        let mut draws: Vec<f64> = (0..n)
            .map(|request| Draw::new(density, 11, &format!("request-{request}")).lambda)
            .collect();
        draws.sort_unstable_by(f64::total_cmp);
        let mut distance = 0.0_f64;
        for (at, &lambda) in draws.iter().enumerate() {
            let expected = density.below(lambda);
            let (below, upto) = (at as f64 / n as f64, (at + 1) as f64 / n as f64);
            distance = distance.max(expected - below).max(upto - expected);
        }
        assert!(distance < most, "{density:?}: {distance} of at most {most}");
    }
}

#[test]
fn exploration_sets_the_second_weight_by_the_first_of_whoever_it_is() {
    let mut state = state();
    state.segments = vec![segment(
        "loud",
        vec![any_of("country", &[text("DE")])],
        vec![ObjectiveWeight {
            objective: "engagement".into(),
            weight: 3.0,
        }],
    )];
    state.exploration = Some(Exploration {
        low: 0.1,
        high: 2.0,
        log_uniform: true,
        arm: None,
        seed: 5,
    });
    for (attributes, alpha) in [(vec![], 1.0), (vec![attribute("country", text("DE"))], 3.0)] {
        let chosen = chosen_for(&state, &attributes, "");
        let draw = chosen.draw.unwrap();
        assert_eq!(chosen.weights, [alpha, -draw.lambda * alpha]);
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..4_i8).prop_map(|number| Value::Number(f64::from(number))),
        "[ab]".prop_map(Value::Text),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let end = || prop::option::of((0..4_i8).prop_map(f64::from));
    prop_oneof![
        prop::collection::vec(value(), 1..3).prop_map(Test::AnyOf),
        (end(), end()).prop_map(|(at_least, below)| Test::Range { at_least, below }),
    ]
}

fn states() -> impl Strategy<Value = ProfileState> {
    let condition = ("[xyz]", test()).prop_map(|(attribute, test)| Condition { attribute, test });
    let segments = prop::collection::vec(prop::collection::vec(condition, 1..3), 0..4);
    let runs = prop::collection::vec((prop::option::of(0..3_usize), 0..6_000_u32), 0..5);
    let experiments = prop::collection::vec((prop::option::of(0..4_usize), runs), 0..4);
    let exploration = prop::option::of(prop::option::of((0..4_usize, 0..2_usize)));
    (segments, experiments, exploration).prop_map(|(segments, experiments, exploration)| {
        let mut state = state();
        let segments = segments.into_iter().enumerate();
        state.segments = segments
            .map(|(at, conditions)| segment(&format!("s{at}"), conditions, bait(-10.0 - at as f64)))
            .collect();
        let experiments = experiments.into_iter().enumerate();
        state.experiments = experiments
            .map(|(at, (segment, buckets))| Experiment {
                name: format!("e{at}"),
                salt: format!("salt{at}"),
                segment: segment.map(|segment| format!("s{segment}")),
                arms: ["a0", "a1"]
                    .map(|name| Arm {
                        name: name.into(),
                        weights: bait(-20.0 - at as f64),
                    })
                    .into(),
                buckets,
            })
            .collect();
        state.exploration = exploration.map(|arm| Exploration {
            low: 0.5,
            high: 1.5,
            log_uniform: false,
            arm: arm.map(|(experiment, arm)| format!("e{experiment}/a{arm}")),
            seed: 3,
        });
        state
    })
}

proptest! {
    #[test]
    fn what_is_explained_is_what_is_chosen(
        state in states(),
        attributes in prop::collection::btree_map("[xyz]", value(), 0..3),
        unit in prop_oneof![Just(String::new()), "[a-z]{1,6}"],
        request in "[a-z]{1,3}",
    ) {
        let attributes: Vec<Attribute> = attributes.into_iter().map(|(name, value)| Attribute { name, value }).collect();
        let rules = Rules::new(&state, &OBJECTIVES);
        let who = RequestContext { attributes: &attributes, unit_id: &unit, request_id: &request };
        let own = [1.0, -0.5];
        let chosen = rules.choose(&own, who);
        let explained = rules.explain(&own, who);
        let applying = |verdicts: &[Verdict]| -> Vec<String> {
            let applying = verdicts.iter().filter(|verdict| verdict.applies);
            applying.map(|verdict| verdict.name.clone()).collect()
        };
        let segment: Vec<String> = chosen.segment.iter().map(ToString::to_string).collect();
        prop_assert_eq!(applying(&explained.segments), segment);
        let experiment = chosen.arm.as_deref().and_then(|arm| arm.split_once('/'));
        let experiment: Vec<String> = experiment.iter().map(|(name, _)| (*name).to_owned()).collect();
        prop_assert_eq!(applying(&explained.experiments), experiment);
        if let Some((_, arm)) = chosen.arm.as_deref().and_then(|arm| arm.split_once('/')) {
            let verdict = explained.experiments.iter().find(|verdict| verdict.applies).unwrap();
            let told = format!("has arm {arm:?}");
            prop_assert!(verdict.reason.ends_with(&told));
        }
        prop_assert_eq!((explained.segments.len(), explained.experiments.len()), (state.segments.len(), state.experiments.len()));
        prop_assert!(explained.segments.iter().chain(&explained.experiments).all(|verdict| !verdict.reason.is_empty()));
        prop_assert_eq!(explained.exploration.is_empty(), state.exploration.is_none());
        prop_assert_eq!(&explained.chosen, &chosen);
        // Without a request id nothing is drawn, and all else is the same.
        let held = rules.explain(&own, RequestContext { request_id: "", ..who }).chosen;
        prop_assert_eq!((held.segment, held.arm, held.draw), (chosen.segment.clone(), chosen.arm.clone(), None));
        // What applies is one of the combinations that are checked.
        let combination = rules.combinations(&own).find(|one| one.segment == chosen.segment.as_deref() && one.arm == chosen.arm.as_deref()).unwrap();
        match (chosen.draw, combination.explored) {
            (None, explored) => {
                prop_assert_eq!(explored, None);
                prop_assert_eq!(&chosen.weights, &combination.weights);
            }
            (Some(_), Some([low, high])) => prop_assert!(high[1] <= chosen.weights[1] && chosen.weights[1] <= low[1]),
            (Some(_), None) => prop_assert!(false, "a draw that no combination knows"),
        }
    }
}

#[test]
fn reasons_are_for_a_person() {
    let mut state = state();
    let country = || any_of("country", &[text("DE"), text("AT")]);
    state.segments = vec![
        segment("a", vec![country()], vec![]),
        segment("b", vec![range("age", Some(2.0), Some(3.0))], vec![]),
        segment(
            "c",
            vec![
                any_of("tier", &[Value::Number(1.0)]),
                range("age", None, Some(9.0)),
            ],
            vec![],
        ),
        segment("d", vec![country()], vec![]),
    ];
    let arm = |name: &str| Arm {
        name: name.into(),
        weights: vec![],
    };
    state.experiments = vec![
        Experiment {
            name: "x".into(),
            salt: "s".into(),
            segment: Some("b".into()),
            arms: vec![arm("t")],
            buckets: vec![(Some(0), 10_000)],
        },
        Experiment {
            name: "y".into(),
            salt: "salt".into(),
            segment: None,
            arms: vec![arm("t")],
            buckets: vec![(None, 10_000)],
        },
        Experiment {
            name: "z".into(),
            salt: "salt".into(),
            segment: Some("c".into()),
            arms: vec![arm("t")],
            buckets: vec![(Some(0), 10_000)],
        },
        Experiment {
            name: "last".into(),
            salt: "salt".into(),
            segment: None,
            arms: vec![arm("t")],
            buckets: vec![(Some(0), 10_000)],
        },
    ];
    state.exploration = Some(Exploration {
        low: 0.5,
        high: 2.0,
        log_uniform: false,
        arm: Some("last/t".into()),
        seed: 1,
    });
    let attributes = [
        attribute("country", text("FR")),
        attribute("tier", Value::Number(1.0)),
        attribute("age", Value::Number(8.5)),
    ];
    let rules = Rules::new(&state, &OBJECTIVES);
    let who = RequestContext {
        attributes: &attributes,
        unit_id: "user-1",
        request_id: "",
    };
    let explained = rules.explain(&[1.0, -1.0], who);
    let reasons = |verdicts: &[Verdict]| -> Vec<String> {
        verdicts
            .iter()
            .map(|verdict| verdict.reason.clone())
            .collect()
    };
    assert_eq!(
        reasons(&explained.segments),
        [
            "country is \"FR\", not one of \"DE\", \"AT\"",
            "age is 8.5, not at least 2 and below 3",
            "tier is 1, age is 8.5",
            "not reached: segment \"c\" applies",
        ]
    );
    assert_eq!(
        reasons(&explained.experiments),
        [
            "takes only requests of segment \"b\"",
            "bucket 2043 has no arm",
            "bucket 2043 has arm \"t\"",
            "not reached: experiment \"z\" applies",
        ]
    );
    assert_eq!(
        explained.experiments[0].bucket,
        Some(rules.experiments[0].bucket("user-1").unwrap())
    );
    assert_eq!(
        explained.exploration,
        "only arm \"last/t\" explores, and arm \"z/t\" applies"
    );
    let nobody = rules.explain(
        &[1.0, -1.0],
        RequestContext {
            attributes: &[],
            unit_id: "",
            request_id: "",
        },
    );
    assert_eq!(nobody.segments[0].reason, "country is missing");
    assert_eq!(nobody.experiments[1].reason, "the request names no unit");
    assert_eq!(
        nobody.exploration,
        "only arm \"last/t\" explores, and no arm applies"
    );
}
