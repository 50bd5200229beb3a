//! Calibrators: extreme logits, versions, and parameters that are rejected.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use counterweight_model::{Calibrator, sigmoid};

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
fn different_calibrators_have_different_versions() {
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
fn parameters_out_of_range_are_named() {
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
        .contains("not be empty")
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
