//! What is explained is what is chosen, in words for a person.

use proptest::prelude::*;

use super::*;

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
            let reported = format!("has arm {arm:?}");
            prop_assert!(verdict.reason.ends_with(&reported));
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
