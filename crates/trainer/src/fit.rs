//! L2-regularised logistic regression on dense columns: linfa-logistic finds the neighbourhood of the minimum, and a Newton
//! finish over all rows reaches it and proves that it is there.
//!
//! The objective is a *sum*, as in scikit-learn with `C = 1 / alpha`:
//!
//! ```text
//! Σ ln(1 + exp(−yᵢ·(b + wᵀzᵢ))) + alpha/2 · ‖w‖²        y ∈ {−1, 1}, z = (x − mean) / sd
//! ```
//!
//! Every column is standardised on the way in, the intercept is not penalised, and the scaling is folded back into the
//! coefficients that are returned. So the penalty applies to the coefficients of the standardised columns: it does not
//! depend on the units of a column.
//!
//! Why two steps. linfa's L-BFGS stops at its iteration limit without saying so, and takes about twenty passes over the
//! rows. A Newton step costs one pass, and from a good start two or three are enough. So linfa fits all rows of a small set
//! and a seeded sample of a large one, and every row of both goes through the finish, whose last gradient is the report's.

mod linfa_start;
mod newton;
mod pass;

use rayon::prelude::*;

use pass::Problem;

/// Wider matrices than this are left to linfa alone: the Hessian of the finish would cost more than it saves.
const WIDEST_NEWTON: usize = 512;

/// A column whose standard deviation is below this share of its magnitude is constant but for rounding.
const CONSTANT: f64 = 1e-12;

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// Weight of the penalty `alpha/2 · ‖w‖²` against the summed loss; finite and above zero. scikit-learn's `1 / C`.
    pub alpha: f64,
    /// The most Newton steps of the finish; also a twentieth of the most L-BFGS iterations on a matrix too wide for it.
    pub max_iterations: usize,
    /// Converged means that no entry of the gradient is larger than this, per row.
    pub tolerance: f64,
    /// Seed of the sample that linfa fits when there are many rows.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            alpha: 1.0,
            max_iterations: 50,
            tolerance: 1e-9,
            seed: 1,
        }
    }
}

/// A fitted regression: the logit of P(label = true) is `intercept + Σ coefficients[j] · columns[j]`.
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
    /// Rows that linfa fitted; 0 when a start was given or linfa's line search failed and the finish began from zero.
    pub linfa_rows: usize,
    /// Newton steps taken over all rows.
    pub newton_steps: usize,
    /// Largest absolute entry of the gradient of the objective.
    pub gradient: f64,
    /// The same per row; compared with [`FitOptions::tolerance`].
    pub relative_gradient: f64,
    /// Whether `relative_gradient` is within the tolerance.
    pub converged: bool,
}

/// Why a matrix cannot be fitted.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum FitError {
    /// There is no row.
    #[error("there is no row to train on")]
    NoRows,
    /// All labels are the same.
    #[error("all {rows} training labels are {label}; a model needs rows of both classes")]
    OneClass {
        /// The only label there is.
        label: bool,
        /// Rows seen.
        rows: usize,
    },
    /// A column is longer or shorter than the labels.
    #[error("encoded column {column} has {found} rows, but there are {expected} labels")]
    Ragged {
        /// Index of the column.
        column: usize,
        /// Its length.
        found: usize,
        /// Number of labels.
        expected: usize,
    },
    /// A value is NaN or infinite.
    #[error("encoded column {column} holds {value} in row {row}; encoded values must be finite")]
    NotFinite {
        /// Index of the column.
        column: usize,
        /// Index of the row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// An option is out of range.
    #[error("{name} is {value}, but must be finite and above zero")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The start has another number of coefficients than there are columns.
    #[error("the starting point has {found} coefficients, but there are {expected} columns")]
    Start {
        /// Coefficients of the start.
        found: usize,
        /// Columns of the matrix.
        expected: usize,
    },
}

/// Fits `labels` on `columns` (one slice per column, all of the length of `labels`).
///
/// With `start`, linfa's part is skipped and the finish begins there; a neighbouring `alpha` is then two or three passes away.
/// The result does not depend on the number of threads.
///
/// # Errors
/// [`FitError`] when the matrix is ragged, empty, or not finite, when all labels agree, or an option is out of range. Not
/// reaching the tolerance is no error: see [`FitReport::converged`].
pub fn fit(
    columns: &[Vec<f64>],
    labels: &[bool],
    options: &FitOptions,
    start: Option<&Fitted>,
) -> Result<Fitted, FitError> {
    check(columns, labels, options)?;
    let scaling = scale(columns)?;
    let problem = Problem {
        columns,
        labels,
        scaling: &scaling,
        alpha: options.alpha,
    };
    let start = start
        .map(|fitted| scaling.standardise(fitted))
        .transpose()?;
    let (end, linfa_rows) = if columns.len() > WIDEST_NEWTON {
        let (weights, rows) = linfa_start::complete(&problem, options, start);
        (newton::certify(&problem, weights), rows)
    } else {
        let (weights, rows) =
            start.map_or_else(|| linfa_start::near(&problem, options), |start| (start, 0));
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

/// `z = (x − mean) · factor` for each column; the factor of a constant column is zero.
struct Scaling {
    means: Vec<f64>,
    factors: Vec<f64>,
}

impl Scaling {
    /// Weights of the standardised columns, the intercept last.
    fn standardise(&self, fitted: &Fitted) -> Result<Vec<f64>, FitError> {
        if fitted.coefficients.len() != self.means.len() {
            return Err(FitError::Start {
                found: fitted.coefficients.len(),
                expected: self.means.len(),
            });
        }
        let mut intercept = fitted.intercept;
        let mut weights = Vec::with_capacity(self.means.len() + 1);
        for (j, &coefficient) in fitted.coefficients.iter().enumerate() {
            intercept += coefficient * self.means[j];
            let constant = self.factors[j] == 0.0;
            weights.push(if constant {
                0.0
            } else {
                coefficient / self.factors[j]
            });
        }
        weights.push(intercept);
        Ok(weights)
    }

    /// Coefficients and intercept in the units of the columns.
    fn fold_back(&self, weights: &[f64]) -> (Vec<f64>, f64) {
        let mut intercept = weights[self.means.len()];
        let coefficients: Vec<f64> = self
            .factors
            .iter()
            .zip(weights)
            .map(|(f, w)| f * w)
            .collect();
        for (coefficient, mean) in coefficients.iter().zip(&self.means) {
            intercept -= coefficient * mean;
        }
        (coefficients, intercept)
    }
}

fn scale(columns: &[Vec<f64>]) -> Result<Scaling, FitError> {
    let scaled: Vec<(f64, f64)> = columns
        .par_iter()
        .enumerate()
        .map(|(column, values)| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let sd = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64)
                .sqrt();
            if !sd.is_finite() {
                return Err(not_finite(column, values));
            }
            let constant = sd <= CONSTANT * mean.abs() || sd == 0.0;
            Ok((mean, if constant { 0.0 } else { 1.0 / sd }))
        })
        .collect::<Result<_, _>>()?;
    let (means, factors) = scaled.into_iter().unzip();
    Ok(Scaling { means, factors })
}

/// The first offending value of a column; of a column whose sum of squares overflows, the largest.
fn not_finite(column: usize, values: &[f64]) -> FitError {
    let worst = |a: &usize, b: &usize| values[*a].abs().total_cmp(&values[*b].abs());
    let row = values
        .iter()
        .position(|x| !x.is_finite())
        .or_else(|| (0..values.len()).max_by(worst))
        .unwrap_or(0);
    FitError::NotFinite {
        column,
        row,
        value: values[row],
    }
}

#[cfg(test)]
mod tests;
