//! Fits with linfa-logistic, from which the Newton steps start. linfa fits all rows of a small or
//! very wide matrix, and a seeded sample of a large one.

use linfa::prelude::Fit;
use linfa::{Dataset, ParamGuard};
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::options::FitOptions;
use super::pass::Problem;

/// linfa fits all rows if there are at most this many, and otherwise a sample of this many.
const SAMPLE: usize = 10_000;
/// The sample is larger if needed, so that it has this many rows per column.
const SAMPLE_PER_COLUMN: usize = 50;
/// Limit of the L-BFGS iterations before Newton steps.
const ITERATIONS: u64 = 100;
/// On a matrix that is fitted without Newton steps: limit of the L-BFGS iterations per Newton step
/// that the options allow.
const ITERATIONS_PER_STEP: u64 = 20;
/// Gradient per row below which Newton steps are faster than more L-BFGS iterations.
const NEAR: f64 = 1e-4;

/// The weights of the standardised columns, the intercept last, and the number of rows on which
/// they were fitted. If linfa fails, the weights are zeros and the number is 0.
pub(super) fn find_start(problem: &Problem<'_>, options: &FitOptions) -> (Vec<f64>, usize) {
    let rows = sample(problem, options.seed);
    let found = fit(
        problem,
        &rows,
        NEAR.max(options.tolerance),
        ITERATIONS,
        None,
    );
    found.map_or((vec![0.0; problem.columns.len() + 1], 0), |weights| {
        (weights, rows.len())
    })
}

/// As [`find_start`], but on all rows and until convergence. If linfa fails, the weights are those
/// of `start`, or zeros without a start.
pub(super) fn fit_completely(
    problem: &Problem<'_>,
    options: &FitOptions,
    start: Option<Vec<f64>>,
) -> (Vec<f64>, usize) {
    let rows: Vec<usize> = (0..problem.labels.len()).collect();
    let iterations = ITERATIONS_PER_STEP * options.max_iterations as u64;
    let start = start.unwrap_or_else(|| vec![0.0; problem.columns.len() + 1]);
    let found = fit(problem, &rows, options.tolerance, iterations, Some(&start));
    found.map_or((start, 0), |weights| (weights, rows.len()))
}

/// Fits `rows` with linfa; `tolerance` is per row. `None` if linfa fails, such as in its line
/// search, or if the matrix has no columns.
fn fit(
    problem: &Problem<'_>,
    rows: &[usize],
    tolerance: f64,
    iterations: u64,
    start: Option<&[f64]>,
) -> Option<Vec<f64>> {
    if problem.columns.is_empty() {
        return None;
    }
    let used = rows.len() as f64;
    let labels: Array1<bool> = rows.iter().map(|&row| problem.labels[row]).collect();
    let positives = labels.iter().filter(|&&label| label).count();
    // The loss is a sum over rows: a sample has a smaller sum, so it gets the same share of the
    // penalty. The tolerance of linfa applies to the gradient of the sum.
    let mut parameters = LogisticRegression::default()
        .alpha(problem.alpha * used / problem.labels.len() as f64)
        .gradient_tolerance(tolerance * used)
        .max_iterations(iterations);
    if let Some(start) = start {
        // linfa predicts the majority class, so weights that predict `true` may need a change of
        // sign.
        let sign = if 2 * positives >= labels.len() {
            1.0
        } else {
            -1.0
        };
        parameters = parameters.initial_params(start.iter().map(|w| sign * w).collect());
    }
    let dataset = Dataset::new(standardised(problem, rows)?, labels);
    let fitted = parameters
        .check()
        .and_then(|checked| checked.fit(&dataset))
        .ok()?;
    // The positive class of linfa is the majority class; the positive class here is `true`.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let mut weights: Vec<f64> = fitted.params().iter().map(|w| sign * w).collect();
    weights.push(sign * fitted.intercept());
    weights.iter().all(|w| w.is_finite()).then_some(weights)
}

/// The rows to fit, in increasing order; they have both classes.
fn sample(problem: &Problem<'_>, seed: u64) -> Vec<usize> {
    let total = problem.labels.len();
    let size = SAMPLE.max(SAMPLE_PER_COLUMN * problem.columns.len());
    if total <= size {
        return (0..total).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = rand::seq::index::sample(&mut rng, total, size).into_vec();
    // A rare class may be absent from the sample, and linfa needs both classes.
    for class in [false, true] {
        if !rows.iter().any(|&row| problem.labels[row] == class) {
            rows.extend(problem.labels.iter().position(|&label| label == class));
        }
    }
    rows.sort_unstable();
    rows
}

/// The standardised rows as a column-major matrix: linfa is four times faster on it than on a
/// row-major one.
fn standardised(problem: &Problem<'_>, rows: &[usize]) -> Option<Array2<f64>> {
    let scaling = problem.scaling;
    let mut values = Vec::with_capacity(rows.len() * problem.columns.len());
    for (j, column) in problem.columns.iter().enumerate() {
        let (mean, factor) = (scaling.means[j], scaling.factors[j]);
        values.extend(rows.iter().map(|&row| (column[row] - mean) * factor));
    }
    Array2::from_shape_vec((rows.len(), problem.columns.len()).f(), values).ok()
}
