//! Calibrators against scikit-learn and scipy (`reference/calibration.py`), and what they refuse.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use counterweight_model::{Calibrator, ModelError, sigmoid};
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
            &Calibrator::fit_platt(&case.logits, &case.labels).unwrap(),
            &case.platt,
            tolerance,
        );
        assert_close(
            &case,
            &Calibrator::fit_beta(&case.logits, &case.labels).unwrap(),
            &case.beta,
            tolerance,
        );
        let isotonic = Calibrator::fit_isotonic(&case.logits, &case.labels).unwrap();
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
    let platt = Calibrator::fit_platt(&upside_down.logits, &upside_down.labels).unwrap();
    assert!(
        matches!(platt, Calibrator::Platt { slope: 0.0, .. }),
        "{platt:?}"
    );
    let flat = cases
        .iter()
        .find(|case| case.name == "one side flat")
        .unwrap();
    let beta = Calibrator::fit_beta(&flat.logits, &flat.labels).unwrap();
    assert!(
        matches!(beta, Calibrator::Beta { a, b, .. } if a == 0.0 && b > 0.0),
        "{beta:?}"
    );
}

#[test]
fn hard_data_fit_without_harm() {
    let labels: Vec<bool> = (0..40).map(|row| row % 4 == 0).collect();
    let constant = vec![2.0; 40];
    let mean = 0.25; // every fit to one logit says the (smoothed) share of positives
    for fit in [
        Calibrator::fit_platt,
        Calibrator::fit_beta,
        Calibrator::fit_isotonic,
    ] {
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
fn extreme_logits_stay_probabilities() {
    let calibrators = [
        Calibrator::None,
        Calibrator::Platt {
            slope: 3.0,
            intercept: -1.0,
        },
        Calibrator::Beta {
            a: 2.0,
            b: 0.5,
            c: 0.1,
        },
        Calibrator::Isotonic {
            x: vec![-1.0, 1.0],
            y: vec![0.25, 0.75],
        },
    ];
    for calibrator in calibrators {
        for logit in [
            f64::MIN,
            -1e300,
            -745.0,
            -1.0,
            0.0,
            1.0,
            745.0,
            1e300,
            f64::MAX,
        ] {
            let p = calibrator.apply(logit);
            assert!((0.0..=1.0).contains(&p), "{calibrator:?} at {logit}: {p}");
        }
        assert!(calibrator.apply(f64::NAN).is_nan());
    }
    assert_eq!(Calibrator::None.apply(-800.0), 0.0);
    assert_eq!(Calibrator::None.apply(0.7), sigmoid(0.7));
    assert_eq!(
        Calibrator::Isotonic {
            x: vec![-1.0, 1.0],
            y: vec![0.25, 0.75]
        }
        .apply(0.5),
        0.625
    );
}

#[test]
fn versions_tell_calibrators_apart() {
    let platt = |slope| Calibrator::Platt {
        slope,
        intercept: 0.0,
    };
    assert_eq!(platt(1.5).version(), platt(1.5).version());
    assert_ne!(platt(1.5).version(), platt(1.5000000000000002).version());
    assert!(
        platt(1.5).version().starts_with("platt-"),
        "{}",
        platt(1.5).version()
    );
    assert_eq!(platt(1.5).version().len(), "platt-".len() + 8);
    assert_eq!(Calibrator::None.version(), "none");
}

#[test]
fn refusals_name_what_is_wrong() {
    let message = |result: Result<Calibrator, ModelError>| result.unwrap_err().to_string();
    for fit in [
        Calibrator::fit_platt,
        Calibrator::fit_beta,
        Calibrator::fit_isotonic,
    ] {
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
    let check = |calibrator: Calibrator| calibrator.check().unwrap_err().to_string();
    assert!(
        check(Calibrator::Platt {
            slope: -1.0,
            intercept: 0.0
        })
        .contains("slope is negative")
    );
    assert!(
        check(Calibrator::Beta {
            a: 1.0,
            b: f64::NAN,
            c: 0.0
        })
        .contains("not finite")
    );
    assert!(
        check(Calibrator::Isotonic {
            x: vec![],
            y: vec![]
        })
        .contains("not empty")
    );
    assert!(
        check(Calibrator::Isotonic {
            x: vec![1.0, 1.0],
            y: vec![0.1, 0.2]
        })
        .contains("increase strictly")
    );
    assert!(
        check(Calibrator::Isotonic {
            x: vec![1.0, 2.0],
            y: vec![0.3, 0.2]
        })
        .contains("never decrease")
    );
    assert!(
        check(Calibrator::Isotonic {
            x: vec![1.0],
            y: vec![1.5]
        })
        .contains("between 0 and 1")
    );
}
