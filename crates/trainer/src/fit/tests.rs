//! The fit is compared with scikit-learn, checked against its own optimality conditions, and tried
//! on difficult data.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const REFERENCE: &str = include_str!("../../tests/reference/fit.json");

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

/// Columns with a different distribution each, and labels of which a share of `rate` are true.
fn data(rows: usize, columns: usize, rate: f64, seed: u64) -> (Vec<Vec<f64>>, Vec<bool>) {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let matrix: Vec<Vec<f64>> = (0..columns)
        .map(|j| {
            (0..rows)
                .map(|_| rng.random::<f64>() * (j + 1) as f64 + j as f64)
                .collect()
        })
        .collect();
    let mut noisy: Vec<f64> = (0..rows)
        .map(|row| 2.0 * matrix[0][row] + rng.random::<f64>())
        .collect();
    let scores = noisy.clone();
    noisy.sort_by(f64::total_cmp);
    let cut = noisy[((1.0 - rate) * rows as f64) as usize];
    (matrix, scores.iter().map(|&s| s >= cut).collect())
}

fn logit(fitted: &Fitted, columns: &[Vec<f64>], row: usize) -> f64 {
    fitted.intercept
        + fitted
            .coefficients
            .iter()
            .zip(columns)
            .map(|(w, c)| w * c[row])
            .sum::<f64>()
}

fn options(alpha: f64) -> FitOptions {
    FitOptions {
        alpha,
        ..FitOptions::default()
    }
}

#[test]
fn agrees_with_scikit_learn() {
    let cases: Vec<Value> = serde_json::from_str(REFERENCE).unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let columns: Vec<Vec<f64>> = case["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(numbers)
            .collect();
        let labels: Vec<bool> = case["labels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l.as_bool().unwrap())
            .collect();
        let fitted = fit(
            &columns,
            &labels,
            &options(case["alpha"].as_f64().unwrap()),
            None,
        )
        .unwrap();
        assert!(
            fitted.report.converged,
            "{}: {:?}",
            case["name"], fitted.report
        );
        let expected = numbers(&case["coefficients"])
            .into_iter()
            .chain(case["intercept"].as_f64());
        for (found, expected) in fitted
            .coefficients
            .iter()
            .chain([&fitted.intercept])
            .zip(expected)
        {
            let scale = expected.abs().max(1.0);
            assert!(
                (found - expected).abs() <= 1e-6 * scale,
                "{}: {found} is not {expected}",
                case["name"]
            );
        }
    }
}

#[test]
fn true_is_the_positive_class_whichever_is_the_majority() {
    for (rate, size) in [
        (0.3, 200),
        (0.5, 200),
        (0.7, 200),
        (0.3, 20_000),
        (0.7, 20_000),
    ] {
        let (columns, labels) = data(size, 2, rate, 3);
        // The widest matrices are fitted by linfa alone, so its sign is checked separately.
        let fitted = fit(&columns, &labels, &options(1.0), None).unwrap();
        let scaling = Scaling::measure(&columns).unwrap();
        let problem = Problem {
            columns: &columns,
            labels: &labels,
            scaling: &scaling,
            alpha: 1.0,
        };
        let (alone, rows) = linfa_start::fit_completely(&problem, &options(1.0), None);
        assert_eq!(rows, size);
        assert!(
            fitted.coefficients[0] > 0.5,
            "rate {rate}: {:?}",
            fitted.coefficients
        );
        for (found, expected) in alone.iter().zip(&fitted.standardised) {
            assert!(
                (found - expected).abs() < 1e-5,
                "rate {rate}: {found} is not {expected}"
            );
        }
        let again = linfa_start::fit_completely(&problem, &options(1.0), Some(alone.clone())).0;
        assert!(
            (again[0] - alone[0]).abs() < 1e-5,
            "a start changes its sign: {} from {}",
            again[0],
            alone[0]
        );
    }
}

#[test]
fn a_sample_and_a_warm_start_lead_to_the_same_minimum() {
    let (columns, labels) = data(30_000, 4, 0.2, 9);
    let cold = fit(&columns, &labels, &options(0.5), None).unwrap();
    assert_eq!(cold.report.linfa_rows, 10_000);
    assert!(cold.report.converged && cold.report.newton_steps > 0);
    let far = fit(&columns, &labels, &options(50.0), None).unwrap();
    let warm = fit(&columns, &labels, &options(0.5), Some(&far)).unwrap();
    assert_eq!(warm.report.linfa_rows, 0);
    for (a, b) in cold.coefficients.iter().zip(&warm.coefficients) {
        assert!((a - b).abs() < 1e-7 * a.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn a_matrix_too_wide_for_newton_steps_is_fitted_by_linfa_alone() {
    let (columns, labels) = data(1_500, WIDEST_NEWTON + 1, 0.3, 2);
    let loose = FitOptions {
        alpha: 20.0,
        tolerance: 1e-6,
        ..FitOptions::default()
    };
    let fitted = fit(&columns, &labels, &loose, None).unwrap();
    assert_eq!(
        (fitted.report.linfa_rows, fitted.report.newton_steps),
        (1_500, 0)
    );
    assert!(fitted.report.converged, "{:?}", fitted.report);
    let warm = fit(&columns, &labels, &loose, Some(&fitted)).unwrap();
    assert!((warm.coefficients[0] - fitted.coefficients[0]).abs() < 1e-4);
}

#[test]
fn does_not_depend_on_the_number_of_threads() {
    let (columns, labels) = data(25_000, 5, 0.3, 4);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| fit(&columns, &labels, &options(1.0), None).unwrap())
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn reports_that_it_did_not_converge() {
    let (columns, labels) = data(20_000, 5, 0.3, 4);
    let hasty = FitOptions {
        max_iterations: 1,
        tolerance: 1e-15,
        ..FitOptions::default()
    };
    let report = fit(&columns, &labels, &hasty, None).unwrap().report;
    assert!(
        !report.converged && report.relative_gradient > 1e-15 && report.newton_steps == 1,
        "{report:?}"
    );
}

#[test]
fn huge_logits_neither_overflow_nor_stall() {
    // The column separates the classes perfectly, and the penalty is negligible beside it.
    let columns = vec![(0..100).map(|i| f64::from(i) * 1e6).collect::<Vec<_>>()];
    let labels: Vec<bool> = (0..100).map(|i| i >= 50).collect();
    let fitted = fit(&columns, &labels, &options(1e-9), None).unwrap();
    assert!(fitted.report.converged, "{:?}", fitted.report);
    assert!((0..100).all(|row| (logit(&fitted, &columns, row) > 0.0) == labels[row]));
}

#[test]
fn without_columns_the_intercept_is_the_base_rate() {
    let labels: Vec<bool> = (0..10).map(|i| i < 3).collect();
    let fitted = fit(&[], &labels, &options(1.0), None).unwrap();
    assert!((fitted.intercept - (0.3f64 / 0.7).ln()).abs() < 1e-9);
}

#[test]
fn rejects_data_that_cannot_be_fitted() {
    let column = vec![1.0, 2.0, 3.0];
    let labels = [true, false, true];
    let error = |columns: &[Vec<f64>], labels: &[bool], options| {
        fit(columns, labels, &options, None).unwrap_err()
    };
    let ok = options(1.0);
    assert_eq!(error(&[], &[], ok), FitError::NoRows);
    assert_eq!(
        error(std::slice::from_ref(&column), &[true; 3], ok),
        FitError::OneClass {
            label: true,
            rows: 3
        }
    );
    assert_eq!(
        error(&[column.clone(), vec![1.0]], &labels, ok),
        FitError::Ragged {
            column: 1,
            found: 1,
            expected: 3
        }
    );
    let infinite = vec![1.0, f64::INFINITY, 0.0];
    assert_eq!(
        error(&[column.clone(), infinite], &labels, ok),
        FitError::NotFinite {
            column: 1,
            row: 1,
            value: f64::INFINITY
        }
    );
    let message = error(&[vec![1.0, 2.0, f64::NAN]], &labels, ok).to_string();
    assert_eq!(
        message,
        "encoded column 0 contains NaN in row 2; encoded values must be finite"
    );
    assert_eq!(
        error(std::slice::from_ref(&column), &labels, options(0.0)),
        FitError::Option {
            name: "alpha",
            value: 0.0
        }
    );
    let other = fit(std::slice::from_ref(&column), &labels, &ok, None).unwrap();
    let start = fit(&[], &labels, &ok, Some(&other)).unwrap_err();
    assert_eq!(
        start,
        FitError::Start {
            found: 1,
            expected: 0
        }
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The gradient of the objective over the standardised columns, computed without optimisations,
    /// is zero at the result.
    #[test]
    fn the_gradient_is_zero_at_the_minimum(
        rows in 20usize..80, width in 1usize..6, rate in 0.2f64..0.8, log_alpha in -3.0f64..3.0, seed in 0u64..1000,
    ) {
        let (columns, labels) = data(rows, width, rate, seed);
        let alpha = log_alpha.exp();
        let fitted = fit(&columns, &labels, &options(alpha), None).unwrap();
        prop_assert!(fitted.report.converged);
        let residual = |row: usize| {
            1.0 / (1.0 + (-logit(&fitted, &columns, row)).exp()) - f64::from(u8::from(labels[row]))
        };
        let n = rows as f64;
        prop_assert!((0..rows).map(residual).sum::<f64>().abs() < 1e-7 * n);
        for (column, weight) in columns.iter().zip(&fitted.standardised) {
            let mean = column.iter().sum::<f64>() / n;
            let sd = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
            let slope: f64 = (0..rows).map(|row| residual(row) * (column[row] - mean) / sd).sum();
            prop_assert!((slope + alpha * weight).abs() < 1e-7 * n, "{} {}", slope, alpha * weight);
        }
    }

    /// The units of a column do not change the predictions.
    #[test]
    fn scaling_a_column_does_not_change_predictions(factor in 1e-3f64..1e3, shift in -10.0f64..10.0, seed in 0u64..1000) {
        let (columns, labels) = data(60, 3, 0.4, seed);
        let mut scaled = columns.clone();
        scaled[1].iter_mut().for_each(|x| *x = *x * factor + shift);
        let a = fit(&columns, &labels, &options(0.3), None).unwrap();
        let b = fit(&scaled, &labels, &options(0.3), None).unwrap();
        for row in 0..60 {
            prop_assert!((logit(&a, &columns, row) - logit(&b, &scaled, row)).abs() < 1e-6);
        }
    }
}
