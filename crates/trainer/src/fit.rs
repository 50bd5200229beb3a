//! L2-regularised logistic regression on dense columns: linfa-logistic comes near the minimum, and
//! Newton steps over all rows reach it and certify it by their last gradient.
//!
//! The objective is a *sum*, as in scikit-learn with `C = 1 / alpha`:
//!
//! ```text
//! Σ ln(1 + exp(−yᵢ·(b + wᵀzᵢ))) + alpha/2 · ‖w‖²        y ∈ {−1, 1}, z = (x − mean) / sd
//! ```
//!
//! Every column is standardised first, the intercept is not penalised, and the scaling is folded
//! back into the coefficients that are returned. So the penalty applies to the standardised columns
//! and does not depend on the units of a column.
//!
//! Why two stages: L-BFGS of linfa stops at its iteration limit without a warning, and takes about
//! twenty passes over the rows. A Newton step costs one pass, and two or three are enough from a
//! good start. So linfa fits all rows of a small set or a seeded sample of a large one, and the
//! Newton steps use all rows.

mod error;
mod linfa_start;
mod newton;
mod options;
mod pass;
mod scaling;

pub use error::FitError;
pub use options::FitOptions;

use pass::Problem;
use scaling::Scaling;

/// Wider matrices are fitted by linfa alone: the Hessian of a Newton step would cost more than it
/// saves.
const WIDEST_NEWTON: usize = 512;

/// A fitted regression: the logit of P(label = true) is `intercept + Σ coefficients[j] ·
/// columns[j]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// One per column, in the units of that column; zero for a constant column.
    pub coefficients: Vec<f64>,
    /// The logit of a row of zeros.
    pub intercept: f64,
    /// One per column: the change of the logit for one standard deviation of the column.
    pub standardised: Vec<f64>,
    /// How the fit went.
    pub report: FitReport,
}

/// How a fit went. `converged` is measured on all rows at the coefficients returned.
#[derive(Debug, Clone, PartialEq)]
pub struct FitReport {
    /// The objective at the minimum: summed log loss plus penalty.
    pub objective: f64,
    /// Rows that linfa fitted; 0 if a start was given, or if its line search failed and the Newton
    /// steps began at zero.
    pub linfa_rows: usize,
    /// Newton steps over all rows.
    pub newton_steps: usize,
    /// Largest absolute entry of the gradient of the objective.
    pub gradient: f64,
    /// The same per row; compared with [`FitOptions::tolerance`].
    pub relative_gradient: f64,
    /// Whether `relative_gradient` is within the tolerance.
    pub converged: bool,
}

/// Fits `labels` on `columns` (one slice per column, all of the length of `labels`).
///
/// With `start`, linfa is skipped and the Newton steps begin there; a neighbouring `alpha` is then
/// two or three passes away. The result does not depend on the number of threads.
///
/// # Errors
/// [`FitError`] if the matrix is empty, not finite or has columns of different lengths, if all
/// labels are equal, or if an option is out of range. A fit that misses the tolerance is not an
/// error: see [`FitReport::converged`].
pub fn fit(
    columns: &[Vec<f64>],
    labels: &[bool],
    options: &FitOptions,
    start: Option<&Fitted>,
) -> Result<Fitted, FitError> {
    check(columns, labels, options)?;
    let scaling = Scaling::measure(columns)?;
    let problem = Problem {
        columns,
        labels,
        scaling: &scaling,
        alpha: options.alpha,
    };
    let start = start
        .map(|fitted| scaling.standardise(&fitted.coefficients, fitted.intercept))
        .transpose()?;
    let (end, linfa_rows) = if columns.len() > WIDEST_NEWTON {
        let (weights, rows) = linfa_start::fit_completely(&problem, options, start);
        (newton::certify(&problem, weights), rows)
    } else {
        let (weights, rows) = start.map_or_else(
            || linfa_start::find_start(&problem, options),
            |start| (start, 0),
        );
        (newton::minimise(&problem, weights, options), rows)
    };
    let gradient = end.gradient;
    let relative_gradient = gradient / labels.len() as f64;
    let (coefficients, intercept) = scaling.fold_back(&end.weights);
    let mut standardised = end.weights;
    standardised.truncate(columns.len());
    Ok(Fitted {
        coefficients,
        intercept,
        standardised,
        report: FitReport {
            objective: end.objective,
            linfa_rows,
            newton_steps: end.steps,
            gradient,
            relative_gradient,
            converged: relative_gradient <= options.tolerance,
        },
    })
}

fn check(columns: &[Vec<f64>], labels: &[bool], options: &FitOptions) -> Result<(), FitError> {
    let first = *labels.first().ok_or(FitError::NoRows)?;
    if labels.iter().all(|&label| label == first) {
        return Err(FitError::OneClass {
            label: first,
            rows: labels.len(),
        });
    }
    for (name, value) in [("alpha", options.alpha), ("tolerance", options.tolerance)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(FitError::Option { name, value });
        }
    }
    match columns.iter().position(|c| c.len() != labels.len()) {
        Some(column) => Err(FitError::Ragged {
            column,
            found: columns[column].len(),
            expected: labels.len(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
