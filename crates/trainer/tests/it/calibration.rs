//! Calibrators against scikit-learn and scipy (`reference/calibration.py`), and the rows that they
//! reject.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use counterweight_model::Calibrator;
use counterweight_trainer::{TrainerError, fit_beta, fit_isotonic, fit_platt};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    logits: Vec<f64>,
    labels: Vec<bool>,
    probes: Vec<f64>,
    platt: Vec<f64>,
    beta: Vec<f64>,
    isotonic: Vec<f64>,
    isotonic_x: Vec<f64>,
    isotonic_y: Vec<f64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../reference/calibration.json")).unwrap()
}

fn assert_close(case: &Case, calibrator: &Calibrator, expected: &[f64], tolerance: f64) {
    for (probe, expected) in case.probes.iter().zip(expected) {
        let found = calibrator.apply(*probe);
        assert!(
            (found - expected).abs() <= tolerance,
            "{}, {} at {probe}: {found}, reference {expected}",
            case.name,
            calibrator.method()
        );
    }
}

#[test]
fn fits_agree_with_the_reference() {
    for case in cases() {
        // The general solver of the constrained cases stops at about 1e-7.
        let tolerance = if case.name == "overconfident" {
            1e-9
        } else {
            2e-6
        };
        assert_close(
            &case,
            &fit_platt(&case.logits, &case.labels).unwrap(),
            &case.platt,
            tolerance,
        );
        assert_close(
            &case,
            &fit_beta(&case.logits, &case.labels).unwrap(),
            &case.beta,
            tolerance,
        );
        let isotonic = fit_isotonic(&case.logits, &case.labels).unwrap();
        assert_close(&case, &isotonic, &case.isotonic, 1e-12);
        let Calibrator::Isotonic { x, y } = isotonic else {
            panic!("{isotonic:?}")
        };
        assert_eq!(x, case.isotonic_x, "{}", case.name);
        assert!(
            y.iter()
                .zip(&case.isotonic_y)
                .all(|(a, b)| (a - b).abs() < 1e-12),
            "{}",
            case.name
        );
    }
}

#[test]
fn a_constraint_that_binds_gives_exactly_zero() {
    let cases = cases();
    let upside_down = cases
        .iter()
        .find(|case| case.name == "upside down")
        .unwrap();
    let platt = fit_platt(&upside_down.logits, &upside_down.labels).unwrap();
    assert!(
        matches!(platt, Calibrator::Platt { slope: 0.0, .. }),
        "{platt:?}"
    );
    let flat = cases
        .iter()
        .find(|case| case.name == "one side flat")
        .unwrap();
    let beta = fit_beta(&flat.logits, &flat.labels).unwrap();
    assert!(
        matches!(beta, Calibrator::Beta { a, b, .. } if a == 0.0 && b > 0.0),
        "{beta:?}"
    );
}

#[test]
fn difficult_data_can_be_fitted() {
    let labels: Vec<bool> = (0..40).map(|row| row % 4 == 0).collect();
    let constant = vec![2.0; 40];
    let mean = 0.25; // with a single logit, every fit gives the (smoothed) share of positives
    for fit in [fit_platt, fit_beta, fit_isotonic] {
        let calibrator = fit(&constant, &labels).unwrap();
        assert!(
            (calibrator.apply(2.0) - mean).abs() < 0.05,
            "{calibrator:?}"
        );
        let huge: Vec<f64> = (0..40)
            .map(|row| if row % 4 == 0 { 1e6 } else { -1e6 } + f64::from(row))
            .collect();
        let calibrator = fit(&huge, &labels).unwrap();
        assert!(
            calibrator.apply(1e6) > 0.8 && calibrator.apply(-1e6) < 0.1,
            "{calibrator:?}"
        );
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let message = |result: Result<Calibrator, TrainerError>| result.unwrap_err().to_string();
    for fit in [fit_platt, fit_beta, fit_isotonic] {
        assert!(message(fit(&[], &[])).contains("no rows"));
        assert!(message(fit(&[0.0, 1.0], &[true, true])).contains("all 2 labels are positive"));
        assert!(message(fit(&[0.0, 1.0], &[false, false])).contains("all 2 labels are negative"));
        assert!(
            message(fit(&[0.0, f64::NAN], &[true, false])).contains("the logit of row 1 is NaN")
        );
        assert!(
            message(fit(&[f64::INFINITY, 0.0], &[true, false]))
                .contains("the logit of row 0 is inf")
        );
        assert!(message(fit(&[0.0], &[true, false])).contains("2 values, expected 1"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calibrators_never_decrease(rows in proptest::collection::vec((-8.0_f64..8.0, any::<bool>()), 10..80), mut probes in proptest::collection::vec(-30.0_f64..30.0, 20)) {
        let (logits, mut labels): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
        (labels[0], labels[1]) = (true, false);
        probes.sort_by(f64::total_cmp);
        for fit in [fit_platt, fit_isotonic, fit_beta] {
            let calibrator = fit(&logits, &labels).unwrap();
            let values: Vec<f64> = probes.iter().map(|logit| calibrator.apply(*logit)).collect();
            prop_assert!(values.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!(values.windows(2).all(|pair| pair[0] <= pair[1] + 1e-15), "{:?}: {:?}", calibrator, values);
        }
    }
}
