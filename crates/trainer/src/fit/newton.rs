//! Damped Newton steps on the whole objective, until the gradient certifies convergence.

use super::options::FitOptions;
use super::pass::{Point, Problem};
use crate::linear::newton_step;

/// Share of the predicted decrease that a step must reach (the Armijo rule).
const SUFFICIENT: f64 = 1e-4;
/// The line search gives up after this many halvings.
const HALVINGS: usize = 40;
/// A change below this share of the objective is rounding.
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

/// Newton's method with a backtracking line search: one pass over the rows per step, if the full
/// step is good.
pub(super) fn minimise(problem: &Problem<'_>, start: Vec<f64>, options: &FitOptions) -> End {
    let target = options.tolerance * problem.labels.len() as f64;
    let mut weights = start;
    let mut point = problem.evaluate(&weights, true);
    let mut steps = 0;
    while largest(&point.gradient) > target && steps < options.max_iterations {
        // The last pass was expected to be the last, but was not.
        if point.hessian.is_empty() {
            point = problem.evaluate(&weights, true);
        }
        let direction = newton_step(&point.hessian, &point.gradient);
        // Near the minimum, a step leaves a gradient of the order of the decrease that it predicts.
        // If that is within the tolerance, the next pass is probably the last, so it leaves out the
        // Hessian, the expensive part.
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

/// Takes no step, and only measures the gradient at `weights`.
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
        // Rounding may raise the objective a little at the minimum, where the step is good all the
        // same.
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
