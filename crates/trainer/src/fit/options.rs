//! The options of a fit.

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// The weight of the penalty `alpha/2 · ‖w‖²` relative to the summed loss; finite and above
    /// zero. It equals `1 / C` of scikit-learn.
    pub alpha: f64,
    /// The largest number of Newton steps. On a matrix that is too wide for Newton steps, linfa may
    /// take twenty times as many L-BFGS iterations.
    pub max_iterations: usize,
    /// The fit has converged when no entry of the gradient, divided by the number of rows, is
    /// larger; finite and above zero.
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
