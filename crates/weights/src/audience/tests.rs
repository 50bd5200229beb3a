//! Who gets which weights: order, missing attributes and draws.

mod explained;

use counterweight_ranking::Density;

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
        bindings: vec![],
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
