//! What is refused, and how that is said.

use counterweight_weights::{ExperimentChange, ProfileChange, Test, Value};

use crate::log::{Log, asking, at, base, experiment, experiments, exploration, german, segments};

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
            "segment \"a b\": is not a valid name: use 1 to 64 letters",
        ),
        (
            segments(vec![german("", &[])]),
            "segment \"\": is not a valid name",
        ),
        (
            segments(vec![german(&"x".repeat(65), &[])]),
            "is not a valid name",
        ),
        (
            segments(vec![german("s", &[]), german("s", &[])]),
            "segment \"s\": is sent twice",
        ),
        (
            segments((0..101).map(|at| german(&format!("s{at}"), &[])).collect()),
            "segments: has 101 entries; send at most 100",
        ),
        (
            segments(vec![unconditional]),
            "segment \"s\": has no condition",
        ),
        (asking("", de()), "attribute \"\": is empty"),
        (
            asking("user_contry", de()),
            "segment \"s\", attribute \"user_contry\": no model accepts it (did you mean \"user_country\"?); correct its name, or add it to `attributes`",
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
            "segment \"s\": the weight of objective \"bait\" is inf; send a number from -1e12 to 1e12",
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
            "experiment \"e/x\": is not a valid name",
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
            "experiment \"e\": its arms have 10001 buckets; give all arms together at most 10000",
        ),
        (
            experiments(vec![experiment(
                "e",
                None,
                &[("a", u32::MAX, &[]), ("b", u32::MAX, &[])],
            )]),
            "buckets; give all arms together at most 10000",
        ),
        (
            experiments(vec![experiment("e", Some("german"), &[("a", 1, &[])])]),
            "experiment \"e\": is for segment \"german\", which does not exist",
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
            "exploration: is for arm \"e/a\", which does not exist",
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
    let mut log = Log::new();
    log.context.forced = true;
    let outcome = |change: &ProfileChange| {
        log.live
            .what_if(log.context.clone(), change, log.live.logged(0))
    };
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
    log.context.attributes.complete = false;
    let test = || Test::AnyOf(vec![Value::Number(1.0)]);
    log.set(&asking("user_mystery", test()));
    assert!(
        log.refusal(&asking("views", test()))
            .contains("of the candidates")
    );
}
