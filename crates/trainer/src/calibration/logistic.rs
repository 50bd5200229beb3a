//! Logistic regression on one or two columns with coefficients of at least 0, by Newton's method.

use counterweight_model::{logit, sigmoid, softplus};
use ndarray::Array2;

use crate::linear::newton_step;

/// A fitted logistic regression.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// The coefficient of each column.
    pub(super) coefficients: Vec<f64>,
    pub(super) intercept: f64,
    loss: f64,
}

const MAX_ITERATIONS: usize = 200;
/// The fit has converged when no entry of the mean gradient over the standardised columns is
/// larger.
const TOLERANCE: f64 = 1e-13;

/// Platt's targets: `(N₊ + 1)/(N₊ + 2)` for a positive row, `1/(N₋ + 2)` for a negative one.
pub(super) fn smoothed_targets(labels: &[bool]) -> Vec<f64> {
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    let (high, low) = (
        (positives + 1.0) / (positives + 2.0),
        1.0 / (negatives + 2.0),
    );
    labels
        .iter()
        .map(|label| if *label { high } else { low })
        .collect()
}

/// Minimises the log loss against targets in (0, 1) over coefficients ≥ 0 and any intercept.
///
/// Each set of columns gives one candidate: the unconstrained minimum if only the coefficients of
/// this set may differ from 0. The loss is convex, so the constrained minimum is the best candidate
/// without a negative coefficient. The empty set always gives one.
pub(super) fn fit_non_negative(columns: &[Vec<f64>], targets: &[f64]) -> Fit {
    let mut best = fit(&[], targets);
    best.coefficients = vec![0.0; columns.len()];
    for set in 1_usize..1 << columns.len() {
        let chosen: Vec<usize> = (0..columns.len())
            .filter(|column| set >> column & 1 == 1)
            .collect();
        let some: Vec<&[f64]> = chosen
            .iter()
            .map(|column| columns[*column].as_slice())
            .collect();
        let found = fit(&some, targets);
        if found
            .coefficients
            .iter()
            .all(|coefficient| *coefficient >= 0.0)
            && found.loss < best.loss
        {
            let mut coefficients = vec![0.0; columns.len()];
            chosen
                .iter()
                .zip(&found.coefficients)
                .for_each(|(column, value)| coefficients[*column] = *value);
            best = Fit {
                coefficients,
                ..found
            };
        }
    }
    best
}

/// Newton's method with step halving, on standardised columns.
fn fit(columns: &[&[f64]], targets: &[f64]) -> Fit {
    let scales: Vec<(f64, f64)> = columns
        .iter()
        .map(|column| centre_and_spread(column))
        .collect();
    let standardise = |(column, (centre, spread)): (&&[f64], &(f64, f64))| {
        column
            .iter()
            .map(|value| (value - centre) / spread)
            .collect::<Vec<f64>>()
    };
    let scaled: Vec<Vec<f64>> = columns.iter().zip(&scales).map(standardise).collect();
    let mean = targets.iter().sum::<f64>() / targets.len() as f64;
    let mut weights = vec![0.0; columns.len()];
    weights.push(logit(mean));
    let mut current = Point::evaluate(&scaled, targets, &weights);
    for _ in 0..MAX_ITERATIONS {
        if current
            .gradient
            .iter()
            .all(|gradient| gradient.abs() < TOLERANCE)
        {
            break;
        }
        let step = newton_step(&current.hessian, &current.gradient);
        let Some((next_weights, next)) =
            halve_until_lower(&scaled, targets, &weights, &step, current.loss)
        else {
            break;
        };
        (weights, current) = (next_weights, next);
    }
    let intercept = weights.pop().unwrap_or_default();
    let shift: f64 = weights
        .iter()
        .zip(&scales)
        .map(|(weight, (centre, spread))| weight * centre / spread)
        .sum();
    let coefficients = weights
        .iter()
        .zip(&scales)
        .map(|(weight, (_, spread))| weight / spread)
        .collect();
    Fit {
        coefficients,
        intercept: intercept - shift,
        loss: current.loss,
    }
}

/// Tries the full step, half of it, a quarter of it and so on, and returns the first result with a
/// lower loss; `None` if rounding prevents a lower loss.
fn halve_until_lower(
    columns: &[Vec<f64>],
    targets: &[f64],
    weights: &[f64],
    step: &[f64],
    loss: f64,
) -> Option<(Vec<f64>, Point)> {
    (0..40).find_map(|halvings| {
        let factor = 0.5_f64.powi(halvings);
        let weights: Vec<f64> = weights
            .iter()
            .zip(step)
            .map(|(weight, step)| weight - factor * step)
            .collect();
        let point = Point::evaluate(columns, targets, &weights);
        (point.loss < loss).then_some((weights, point))
    })
}

/// The mean loss and its derivatives at some weights.
struct Point {
    loss: f64,
    gradient: Vec<f64>,
    hessian: Array2<f64>,
}

impl Point {
    fn evaluate(columns: &[Vec<f64>], targets: &[f64], weights: &[f64]) -> Self {
        let size = weights.len();
        let (mut loss, mut gradient) = (0.0, vec![0.0; size]);
        let mut hessian = Array2::<f64>::zeros((size, size));
        let mut x = vec![1.0; size];
        for (row, target) in targets.iter().enumerate() {
            x.iter_mut()
                .zip(columns)
                .for_each(|(x, column)| *x = column[row]);
            let z: f64 = weights.iter().zip(&x).map(|(weight, x)| weight * x).sum();
            let p = sigmoid(z);
            loss += softplus(z) - target * z;
            for i in 0..size {
                gradient[i] += (p - target) * x[i];
                for j in 0..size {
                    hessian[[i, j]] += p * sigmoid(-z) * x[i] * x[j];
                }
            }
        }
        let rows = targets.len() as f64;
        gradient
            .iter_mut()
            .chain(&mut hessian)
            .for_each(|value| *value /= rows);
        Self {
            loss: loss / rows,
            gradient,
            hessian,
        }
    }
}

/// Mean and standard deviation; a standard deviation of 0 is replaced by 1.
fn centre_and_spread(column: &[f64]) -> (f64, f64) {
    let rows = column.len() as f64;
    let mean = column.iter().sum::<f64>() / rows;
    let spread = (column
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / rows)
        .sqrt();
    (mean, if spread > 0.0 { spread } else { 1.0 })
}
