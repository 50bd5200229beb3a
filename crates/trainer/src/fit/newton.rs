//! The finish: damped Newton steps on the whole objective, until the gradient proves convergence.

use ndarray::Array2;

use super::FitOptions;
use super::pass::{Point, Problem};

/// Share of the predicted decrease that a step must reach (Armijo).
const SUFFICIENT: f64 = 1e-4;
/// A step is halved this often before the search gives up.
const HALVINGS: usize = 40;
/// Decreases below this share of the objective are rounding.
const ROUNDING: f64 = 1e-14;

/// Where the finish ended.
pub(super) struct End {
    /// Weights of the standardised columns, the intercept last.
    pub(super) weights: Vec<f64>,
    pub(super) objective: f64,
    /// Largest absolute entry of the gradient.
    pub(super) gradient: f64,
    pub(super) steps: usize,
}

/// Newton's method with a backtracking line search. Each step is one pass over the rows when the full step is good.
///
/// Near the minimum a step leaves a gradient of the order of the decrease it predicts. So where that is within the tolerance,
/// the next pass is expected to be the last and leaves the Hessian out.
pub(super) fn minimise(problem: &Problem<'_>, start: Vec<f64>, options: &FitOptions) -> End {
    let target = options.tolerance * problem.labels.len() as f64;
    let mut weights = start;
    let mut point = problem.evaluate(&weights, true);
    let mut steps = 0;
    while largest(&point.gradient) > target && steps < options.max_iterations {
        if point.hessian.is_empty() {
            point = problem.evaluate(&weights, true);
        }
        let direction = solve(&point.hessian, &point.gradient);
        let slope = dot(&point.gradient, &direction);
        let Some((next, at)) = line_search(problem, &weights, &point, &direction, slope > target)
        else {
            break;
        };
        (weights, point) = (next, at);
        steps += 1;
    }
    End {
        objective: point.objective,
        gradient: largest(&point.gradient),
        weights,
        steps,
    }
}

/// No step: only says what the gradient is at `weights`.
pub(super) fn certify(problem: &Problem<'_>, weights: Vec<f64>) -> End {
    let point = problem.evaluate(&weights, false);
    End {
        objective: point.objective,
        gradient: largest(&point.gradient),
        weights,
        steps: 0,
    }
}

fn line_search(
    problem: &Problem<'_>,
    weights: &[f64],
    at: &Point,
    direction: &[f64],
    hessian: bool,
) -> Option<(Vec<f64>, Point)> {
    let slope = dot(&at.gradient, direction);
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let next: Vec<f64> = weights
            .iter()
            .zip(direction)
            .map(|(w, p)| w - length * p)
            .collect();
        let point = problem.evaluate(&next, hessian);
        let allowed = at.objective - SUFFICIENT * length * slope + ROUNDING * at.objective.abs();
        if point.objective <= allowed {
            return Some((next, point));
        }
        length *= 0.5;
    }
    None
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most, g| g.abs().max(most))
}

/// Solves `hessian · x = gradient`. The ridge keeps the Hessian positive definite; where rounding spoils that (the unpenalised
/// intercept of perfectly separated rows), the diagonal is raised until Cholesky succeeds.
fn solve(hessian: &Array2<f64>, gradient: &[f64]) -> Vec<f64> {
    let trace: f64 = hessian.diag().sum();
    let mut raise = 0.0;
    loop {
        let mut lower = hessian.clone();
        lower.diag_mut().mapv_inplace(|d| d + raise);
        if cholesky(&mut lower) {
            return substitute(&lower, gradient);
        }
        raise = f64::max(raise * 10.0, f64::max(trace * 1e-14, f64::MIN_POSITIVE));
    }
}

/// Replaces the lower triangle by its Cholesky factor; false if the matrix is not positive definite.
fn cholesky(matrix: &mut Array2<f64>) -> bool {
    for i in 0..matrix.nrows() {
        for j in 0..=i {
            let mut sum = matrix[[i, j]];
            for k in 0..j {
                sum -= matrix[[i, k]] * matrix[[j, k]];
            }
            if i == j {
                if sum <= 0.0 || !sum.is_finite() {
                    return false;
                }
                matrix[[i, i]] = sum.sqrt();
            } else {
                matrix[[i, j]] = sum / matrix[[j, j]];
            }
        }
    }
    true
}

/// Forward and backward substitution with a Cholesky factor.
fn substitute(lower: &Array2<f64>, right: &[f64]) -> Vec<f64> {
    let size = right.len();
    let mut x = right.to_vec();
    for i in 0..size {
        for k in 0..i {
            x[i] -= lower[[i, k]] * x[k];
        }
        x[i] /= lower[[i, i]];
    }
    for i in (0..size).rev() {
        for k in i + 1..size {
            x[i] -= lower[[k, i]] * x[k];
        }
        x[i] /= lower[[i, i]];
    }
    x
}
