//! L2-regularised logistic regression on dense columns. linfa-logistic finds weights near the
//! minimum. Newton steps over all rows then reach the minimum, and the last gradient proves it.
//!
//! The objective is a *sum* over rows, as in scikit-learn with `C = 1 / alpha`:
//!
//! ```text
//! Σ ln(1 + exp(−yᵢ·(b + wᵀzᵢ))) + alpha/2 · ‖w‖²        y ∈ {−1, 1}, z = (x − mean) / sd
//! ```
//!
//! Every column is standardised first, so the penalty does not depend on the units of a column. The
//! intercept is not penalised. The coefficients that are returned are in the units of the columns.
//!
//! There are two stages because linfa's L-BFGS takes about twenty passes over the rows, and stops
//! at its iteration limit without a warning. A Newton step takes one pass, and two or three steps
//! are enough from a good start. linfa therefore fits all rows of a small set or a seeded sample of
//! a large one, and the Newton steps use all rows.

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

/// Matrices with more columns than this are fitted by linfa alone, because the Hessian of a Newton
/// step would cost more time than the step saves.
const WIDEST_NEWTON: usize = 512;

/// A fitted regression: the logit of P(label = true) is `intercept + Σ coefficients[j] ·
/// columns[j]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The coefficient of each column, in the units of the column; zero for a constant column.
    pub coefficients: Vec<f64>,
    /// The logit of a row of zeros.
    pub intercept: f64,
    /// The change of the logit per standard deviation of each column.
    pub standardised: Vec<f64>,
    /// How the fit went.
    pub report: FitReport,
}

/// How a fit went. All figures are for all rows, at the coefficients that are returned.
#[derive(Debug, Clone, PartialEq)]
pub struct FitReport {
    /// The value of the objective: summed log loss plus penalty.
    pub objective: f64,
    /// Number of rows that linfa fitted. It is 0 if linfa was skipped because a start was given, or
    /// if linfa failed and the weights it began with were used instead.
    pub linfa_rows: usize,
    /// Number of Newton steps over all rows.
    pub newton_steps: usize,
    /// Largest absolute entry of the gradient of the objective.
    pub gradient: f64,
    /// `gradient` divided by the number of rows; it is compared with [`FitOptions::tolerance`].
    pub relative_gradient: f64,
    /// Whether `relative_gradient` is within the tolerance.
    pub converged: bool,
}

/// Fits `labels` on `columns`, each of which has the length of `labels`.
///
/// With `start`, the fit begins there: linfa is skipped, except for a matrix that linfa fits alone.
/// From the fit of a neighbouring `alpha`, two or three passes are then enough. The result does not
/// depend on the number of threads.
///
/// # Errors
/// [`FitError`] if there are no rows, if a value is not finite, if a column has the wrong length,
/// if all labels are equal, if `start` has the wrong number of coefficients, or if an option is out
/// of range. A fit that does not reach the tolerance is not an error: see [`FitReport::converged`].
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
