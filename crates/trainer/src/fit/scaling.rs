//! Standardises the columns of a fit, and folds the scaling back into its coefficients.

use rayon::prelude::*;

use super::error::FitError;

/// A column counts as constant if its standard deviation is at most this share of its mean's
/// magnitude, because the rest is rounding.
const CONSTANT: f64 = 1e-12;

/// `z = (x − mean) · factor` for each column; the factor of a constant column is zero.
pub(super) struct Scaling {
    pub(super) means: Vec<f64>,
    pub(super) factors: Vec<f64>,
}

impl Scaling {
    /// Measures mean and standard deviation of every column.
    pub(super) fn measure(columns: &[Vec<f64>]) -> Result<Self, FitError> {
        let scaled: Vec<(f64, f64)> = columns
            .par_iter()
            .enumerate()
            .map(|(column, values)| {
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let sd = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
                    / values.len() as f64)
                    .sqrt();
                if !sd.is_finite() {
                    return Err(not_finite(column, values));
                }
                let constant = sd <= CONSTANT * mean.abs() || sd == 0.0;
                Ok((mean, if constant { 0.0 } else { 1.0 / sd }))
            })
            .collect::<Result<_, _>>()?;
        let (means, factors) = scaled.into_iter().unzip();
        Ok(Self { means, factors })
    }

    /// Converts coefficients in the units of the columns to weights of the standardised columns,
    /// the intercept last.
    pub(super) fn standardise(
        &self,
        coefficients: &[f64],
        intercept: f64,
    ) -> Result<Vec<f64>, FitError> {
        if coefficients.len() != self.means.len() {
            return Err(FitError::Start {
                found: coefficients.len(),
                expected: self.means.len(),
            });
        }
        let mut intercept = intercept;
        let mut weights = Vec::with_capacity(self.means.len() + 1);
        for (j, &coefficient) in coefficients.iter().enumerate() {
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

    /// Converts weights of the standardised columns to coefficients and intercept in the units of
    /// the columns.
    pub(super) fn fold_back(&self, weights: &[f64]) -> (Vec<f64>, f64) {
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

/// Names the first value of a column that is not finite. If all are finite, their sum of squares
/// overflowed, and the largest value is named.
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
