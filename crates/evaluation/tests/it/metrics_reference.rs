//! The metrics against scikit-learn's, on cases that `reference/metrics.py` makes.
#![allow(clippy::expect_used)] // helpers of a test

use counterweight_evaluation::metrics::part_report;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("an array")
        .iter()
        .map(|v| v.as_f64().expect("a number"))
        .collect()
}

fn close(what: &str, ours: f64, theirs: f64) {
    assert!(
        (ours - theirs).abs() <= 1e-9,
        "{what}: {ours} against {theirs}"
    );
}

#[test]
fn metrics_agree_with_scikit_learn() {
    let cases: Value =
        serde_json::from_str(include_str!("../reference/metrics.json")).expect("valid JSON");
    for case in cases.as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let probabilities = numbers(&case["probabilities"]);
        let labels: Vec<bool> = case["labels"]
            .as_array()
            .expect("labels")
            .iter()
            .map(|label| label.as_bool().expect("a boolean"))
            .collect();
        let ours = part_report(name, &probabilities, &labels);
        for (metric, value) in [
            ("auc", ours.auc),
            ("pr_auc", ours.pr_auc),
            ("log_loss", ours.log_loss),
            ("brier", ours.brier),
            ("ece", ours.ece),
        ] {
            let theirs = case[metric].as_f64().expect("a number");
            close(&format!("{name} {metric}"), value.expect("defined"), theirs);
        }
        let bins = ours.calibration.iter();
        for (metric, ours) in [
            (
                "positive_rate",
                bins.clone()
                    .map(|bin| bin.positive_rate)
                    .collect::<Vec<_>>(),
            ),
            (
                "mean_probability",
                bins.map(|bin| bin.mean_probability).collect(),
            ),
        ] {
            let theirs = numbers(&case[metric]);
            assert_eq!(ours.len(), theirs.len(), "{name} {metric}");
            ours.iter()
                .zip(&theirs)
                .for_each(|(&a, &b)| close(&format!("{name} {metric}"), a, b));
        }
    }
}
