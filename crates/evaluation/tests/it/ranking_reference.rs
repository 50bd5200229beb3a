//! Metrics of pages, fronts and off-policy estimators against other people's, on cases that
//! `reference/ranking.py` makes.
#![allow(clippy::expect_used)] // helpers of a test

use counterweight_evaluation::{
    front::{Point, hypervolume, igd},
    metrics::{Gain, average_precision, ndcg, ndcg_ties_averaged},
    ope::{Expected, Sample},
};
use serde_json::Value;

fn cases(of: &str) -> Vec<Value> {
    let all: Value =
        serde_json::from_str(include_str!("../reference/ranking.json")).expect("valid JSON");
    let cases = all[of].as_array().expect("cases").clone();
    assert!(!cases.is_empty());
    cases
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().expect("an array").iter();
    numbers.map(|v| v.as_f64().expect("a number")).collect()
}

fn table(value: &Value) -> Vec<Vec<f64>> {
    value
        .as_array()
        .expect("rows")
        .iter()
        .map(numbers)
        .collect()
}

#[track_caller]
fn close(case: &Value, what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs.as_f64().expect("a number");
    assert!(
        (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0),
        "{} {what}: {ours} against {theirs}",
        case["name"]
    );
}

#[test]
fn pages_agree_with_scikit_learn_trec_eval_and_ranx() {
    for case in cases("pages") {
        let (scores, relevance) = (numbers(&case["scores"]), numbers(&case["relevance"]));
        let relevant: Vec<bool> = relevance.iter().map(|&grade| grade > 0.0).collect();
        let k = usize::try_from(case["k"].as_u64().expect("k")).expect("small");
        let plain = |gain| ndcg(&scores, &relevance, k, gain).expect("candidates");
        let averaged = |gain| ndcg_ties_averaged(&scores, &relevance, k, gain).expect("candidates");
        for (theirs, ours) in [
            ("sklearn_ndcg", averaged(Gain::Linear)),
            ("sklearn_ndcg_exponential", averaged(Gain::Exponential)),
        ] {
            close(&case, theirs, ours, &case[theirs], 1e-9);
        }
        if case["name"] == "tied" {
            continue; // the others break ties on document ids
        }
        for (theirs, ours) in [
            ("pytrec_ndcg", plain(Gain::Linear)),
            ("ranx_ndcg", plain(Gain::Linear)),
            ("ranx_ndcg_burges", plain(Gain::Exponential)),
            (
                "pytrec_map",
                average_precision(&scores, &relevant, k).expect("a relevant one"),
            ),
        ] {
            close(&case, theirs, ours, &case[theirs], 1e-9);
        }
    }
}

#[test]
fn fronts_agree_with_pymoo() {
    for case in cases("fronts") {
        let points = |of: &str| -> Vec<Point> {
            let rows = table(&case[of]);
            rows.iter()
                .map(|row| Point {
                    gain: row[0],
                    cost: row[1],
                    x: 0.0,
                })
                .collect()
        };
        let corner = numbers(&case["corner"]);
        let ours = hypervolume(&points("points"), (corner[0], corner[1]));
        close(&case, "hypervolume", ours, &case["hypervolume"], 1e-9);
        let ours = igd(&points("points"), &points("reference")).expect("points");
        close(&case, "igd", ours, &case["igd"], 1e-9);
    }
}

#[test]
fn slate_estimators_agree_with_the_open_bandit_pipeline() {
    for case in cases("slates") {
        for weighting in ["slate", "prefix", "position"] {
            let mut sample = Sample::default();
            for (rewards, weights) in table(&case["rewards"])
                .iter()
                .zip(table(&case[weighting]["weights"]))
            {
                sample.push(rewards, &weights, None).expect("good rows");
            }
            close(
                &case,
                weighting,
                sample.ips().value,
                &case[weighting]["ips"],
                1e-12,
            );
            close(
                &case,
                weighting,
                sample.snips().value,
                &case[weighting]["snips"],
                1e-12,
            );
        }
    }
}

#[test]
fn single_actions_agree_with_the_open_bandit_pipeline() {
    for case in cases("actions") {
        let of = |column: &str| numbers(&case[column]);
        let (logged, target) = (of("logged"), of("target"));
        let (expected_logged, expected_target) = (of("expected_logged"), of("expected_target"));
        let (mut plain, mut robust) = (Sample::default(), Sample::default());
        for (at, &reward) in of("rewards").iter().enumerate() {
            let expected = Expected {
                logged: &expected_logged[at..=at],
                target: expected_target[at],
            };
            plain
                .push_action(reward, logged[at], target[at], None)
                .expect("a good row");
            robust
                .push_action(reward, logged[at], target[at], Some(expected))
                .expect("a good row");
        }
        for (theirs, ours) in [
            ("ips", plain.ips()),
            ("snips", plain.snips()),
            ("dr", robust.ips()),
            ("sndr", robust.snips()),
        ] {
            close(&case, theirs, ours.value, &case[theirs], 1e-12);
        }
    }
}
