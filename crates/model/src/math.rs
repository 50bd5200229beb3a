//! Scalar functions of probabilities that do not overflow for any argument.

/// `1 / (1 + e^-x)`, in `[0, 1]`, accurate in the tails; NaN stays NaN.
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    // Each branch raises e to a power that is at most 0, which cannot overflow.
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

/// [`logit`] of `p` after clamping `p` to the range from the smallest positive normal number to the
/// largest number below 1. It is finite for every `p` in `[0, 1]`.
#[must_use]
pub fn finite_logit(p: f64) -> f64 {
    logit(p.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finite_logit_is_finite_everywhere_and_exact_in_the_middle() {
        for p in [0.0, 1.0, f64::MIN_POSITIVE, 1.0 - f64::EPSILON] {
            assert!(finite_logit(p).is_finite(), "{p}");
        }
        assert_eq!(finite_logit(0.5), 0.0);
        assert!((finite_logit(0.9) - 9.0_f64.ln()).abs() < 1e-12);
    }
}
