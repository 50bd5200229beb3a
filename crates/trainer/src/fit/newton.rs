//! Damped Newton steps on the whole objective, until the gradient proves convergence.

use super::options::FitOptions;
use super::pass::{Point, Problem};
use crate::linear::newton_step;

/// The share of the predicted decrease that a step must reach (the Armijo rule).
const SUFFICIENT: f64 = 1e-4;
/// The line search gives up after this many halvings.
const HALVINGS: usize = 40;
/// A change of the objective by less than this share of it counts as rounding.
const ROUNDING: f64 = 1e-14;

/// Where the steps ended.
pub(super) struct End {
    /// Weights of the standardised columns, the intercept last.
    pub(super) weights: Vec<f64>,
    pub(super) objective: f64,
    /// Largest absolute entry of the gradient.
    pub(super) gradient: f64,
    pub(super) steps: usize,
}

/// Newton's method with a backtracking line search. A step takes one pass over the rows if its full
/// length is accepted.
pub(super) fn minimise(problem: &Problem<'_>, start: Vec<f64>, options: &FitOptions) -> End {
    let target = options.tolerance * problem.labels.len() as f64;
    let mut weights = start;
    let mut point = problem.evaluate(&weights, true);
    let mut steps = 0;
    while largest(&point.gradient) > target && steps < options.max_iterations {
        // The pass before was expected to be the last and left out the Hessian, but the gradient is
        // still too large.
        if point.hessian.is_empty() {
            point = problem.evaluate(&weights, true);
        }
        let direction = newton_step(&point.hessian, &point.gradient);
        // Near the minimum, the gradient after a step is about as large as the decrease that the
        // step predicts. If that is within the tolerance, the next pass is probably the last, so it
        // leaves out the Hessian, which is the expensive part.
        let slope = dot(&point.gradient, &direction);
        let Some((next, reached)) =
            line_search(problem, &weights, &point, &direction, slope > target)
        else {
            break;
        };
        (weights, point) = (next, reached);
        steps += 1;
    }
    End {
        objective: point.objective,
        gradient: largest(&point.gradient),
        weights,
        steps,
    }
}

/// Measures the objective and its gradient at `weights`, without a step.
pub(super) fn certify(problem: &Problem<'_>, weights: Vec<f64>) -> End {
    let point = problem.evaluate(&weights, false);
    End {
        objective: point.objective,
        gradient: largest(&point.gradient),
        weights,
        steps: 0,
    }
}

/// Halves the step until the objective decreases enough; `None` if no length does.
fn line_search(
    problem: &Problem<'_>,
    weights: &[f64],
    current: &Point,
    direction: &[f64],
    hessian: bool,
) -> Option<(Vec<f64>, Point)> {
    let slope = dot(&current.gradient, direction);
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let next: Vec<f64> = weights
            .iter()
            .zip(direction)
            .map(|(w, p)| w - length * p)
            .collect();
        let point = problem.evaluate(&next, hessian);
        // At the minimum, rounding may raise the objective slightly although the step is good.
        let allowed =
            current.objective - SUFFICIENT * length * slope + ROUNDING * current.objective.abs();
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
