//! The few scalar functions on which probabilities rest, written so that no argument overflows them.

/// `1 / (1 + e^-x)`, in `[0, 1]`, exact in the tails; NaN stays NaN.
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// `ln(1 + e^x)` without overflow; also `-ln(1 - sigmoid(x))`.
#[must_use]
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `ln(p / (1 - p))`; ±∞ at 1 and 0, NaN outside `[0, 1]`.
#[must_use]
pub fn logit(p: f64) -> f64 {
    p.ln() - (-p).ln_1p()
}
