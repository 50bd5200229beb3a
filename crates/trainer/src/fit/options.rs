//! What can be chosen about a fit.

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// Weight of the penalty `alpha/2 · ‖w‖²` against the summed loss; finite and above zero.
    /// scikit-learn's `1 / C`.
    pub alpha: f64,
    /// Limit of the Newton steps. On a matrix too wide for them, linfa may take twenty times as
    /// many L-BFGS iterations.
    pub max_iterations: usize,
    /// The fit has converged when no entry of the gradient, per row, is larger.
    pub tolerance: f64,
    /// Seed of the sample that linfa fits if there are many rows.
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
