//! One pass over all rows, which computes objective, gradient and Hessian together, so that each
//! column is read from memory once.
//!
//! A panel of rows is standardised into a small buffer that stays in the cache. Logits, gradient
//! and Hessian are computed from this buffer. The rows are divided into a fixed number of chunks,
//! whose sums are added in order, so the result is the same on any number of threads.

use ndarray::{Array2, ArrayView2, linalg::general_mat_mul, s};
use rayon::prelude::*;

use super::scaling::Scaling;

/// Rows of a panel: few enough that the panel stays in the cache.
const PANEL: usize = 256;
/// Rows of the Hessian that are computed at a time.
const BLOCK: usize = 64;
/// Chunks of a pass, the same number for any number of threads.
const CHUNKS: usize = 32;

/// The matrix, the labels and the penalty. Weights are one number per column, then the intercept.
pub(super) struct Problem<'a> {
    pub(super) columns: &'a [Vec<f64>],
    pub(super) labels: &'a [bool],
    pub(super) scaling: &'a Scaling,
    pub(super) alpha: f64,
}

/// The objective and its derivatives at some weights.
pub(super) struct Point {
    pub(super) objective: f64,
    pub(super) gradient: Vec<f64>,
    /// Only the lower triangle is valid; empty if the Hessian was not requested.
    pub(super) hessian: Array2<f64>,
}

impl Problem<'_> {
    /// Evaluates the objective, its gradient and, if requested, its Hessian.
    pub(super) fn evaluate(&self, weights: &[f64], hessian: bool) -> Point {
        let rows = self.labels.len();
        let chunk = rows.div_ceil(CHUNKS).next_multiple_of(PANEL);
        let parts: Vec<Point> = (0..rows.div_ceil(chunk))
            .into_par_iter()
            .map(|c| self.evaluate_rows(c * chunk, rows.min((c + 1) * chunk), weights, hessian))
            .collect();
        let mut total = Point::zero(weights.len(), hessian);
        for part in &parts {
            total.add(part);
        }
        self.penalise(weights, &mut total);
        total
    }

    /// Adds the penalty, which leaves out the intercept.
    fn penalise(&self, weights: &[f64], total: &mut Point) {
        let penalised = self.columns.len();
        for (j, &weight) in weights[..penalised].iter().enumerate() {
            total.objective += 0.5 * self.alpha * weight * weight;
            total.gradient[j] += self.alpha * weight;
            if !total.hessian.is_empty() {
                total.hessian[[j, j]] += self.alpha;
            }
        }
    }

    fn evaluate_rows(&self, from: usize, to: usize, weights: &[f64], hessian: bool) -> Point {
        let mut sums = Point::zero(weights.len(), hessian);
        // One panel row per column, and a last row of ones for the intercept.
        let mut panel = Array2::<f64>::ones((weights.len(), PANEL));
        let mut logits = [0.0; PANEL];
        let mut roots = [0.0; PANEL];
        for start in (from..to).step_by(PANEL) {
            let rows = PANEL.min(to - start);
            let logits = &mut logits[..rows];
            logits.fill(weights[self.columns.len()]);
            for (j, column) in self.columns.iter().enumerate() {
                let (mean, factor, weight) =
                    (self.scaling.means[j], self.scaling.factors[j], weights[j]);
                let mut line = panel.row_mut(j);
                let line = line.as_slice_mut().unwrap_or_default();
                for ((z, x), logit) in line
                    .iter_mut()
                    .zip(&column[start..start + rows])
                    .zip(logits.iter_mut())
                {
                    *z = (x - mean) * factor;
                    *logit += weight * *z;
                }
            }
            // From here on, the buffer contains the residuals in place of the logits.
            let residuals = logits;
            for ((t, label), root) in residuals
                .iter_mut()
                .zip(&self.labels[start..])
                .zip(&mut roots)
            {
                let row = Row::new(*t, *label);
                sums.objective += row.loss;
                *t = row.residual;
                *root = row.curvature.sqrt();
            }
            for (j, sum) in sums.gradient.iter_mut().enumerate() {
                *sum += dot(panel.row(j).as_slice().unwrap_or_default(), residuals);
            }
            if hessian {
                // The Hessian is ZᵀCZ, where C is diagonal with the curvatures. If Z is scaled by
                // √C, it is a plain matrix product.
                for mut line in panel.rows_mut() {
                    for (z, root) in line.iter_mut().zip(&roots[..rows]) {
                        *z *= root;
                    }
                }
                add_products(&panel.slice(s![.., ..rows]), &mut sums.hessian);
                // The scaling changed the row of ones; the next panel overwrites all other rows.
                panel.row_mut(self.columns.len()).fill(1.0);
            }
        }
        sums
    }
}

impl Point {
    fn zero(weights: usize, hessian: bool) -> Point {
        let side = if hessian { weights } else { 0 };
        Point {
            objective: 0.0,
            gradient: vec![0.0; weights],
            hessian: Array2::zeros((side, side)),
        }
    }

    fn add(&mut self, part: &Point) {
        self.objective += part.objective;
        for (sum, value) in self.gradient.iter_mut().zip(&part.gradient) {
            *sum += value;
        }
        self.hessian += &part.hessian;
    }
}

/// Adds the products of the panel's rows to the lower triangle, a block of rows at a time.
fn add_products(panel: &ArrayView2<'_, f64>, lower: &mut Array2<f64>) {
    let size = lower.nrows();
    for from in (0..size).step_by(BLOCK) {
        let to = size.min(from + BLOCK);
        let mut block = lower.slice_mut(s![from..to, ..to]);
        let (left, right) = (panel.slice(s![from..to, ..]), panel.slice(s![..to, ..]));
        general_mat_mul(1.0, &left, &right.t(), 1.0, &mut block);
    }
}

/// Log loss of one row, and its first and second derivative with respect to the logit. It takes one
/// `exp` and does not overflow for any logit.
struct Row {
    loss: f64,
    residual: f64,
    curvature: f64,
}

impl Row {
    fn new(logit: f64, label: bool) -> Row {
        let e = (-logit.abs()).exp();
        let rest = e / (1.0 + e);
        let probability = if logit >= 0.0 { 1.0 / (1.0 + e) } else { rest };
        let wrong_side = (logit >= 0.0) != label;
        Row {
            loss: e.ln_1p() + if wrong_side { logit.abs() } else { 0.0 },
            residual: if label {
                // This is −P(false). `probability − 1` would lose digits by cancellation.
                -(if logit >= 0.0 { rest } else { 1.0 / (1.0 + e) })
            } else {
                probability
            },
            curvature: rest / (1.0 + e),
        }
    }
}

/// Dot product over the shorter length. With eight separate sums, the compiler can use vector
/// instructions.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mut lanes = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + tail
}
