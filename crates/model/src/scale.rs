//! Standardising: mean 0, variance 1, bounded, with missing values at the mean.

use serde::{Deserialize, Serialize};

/// Standardised values are cut at plus and minus this many standard deviations.
const BOUND: f64 = 10.0;

/// Mean and standard deviation of a column's values that are not missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standard {
    mean: f64,
    sd: f64,
}

impl Standard {
    /// Statistics of `values` without NaN; `None` when none are left or all are equal.
    pub(crate) fn fit(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let present = values.filter(|value| !value.is_nan());
        let (low, high) = present
            .clone()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
        if low >= high {
            return None;
        }
        // Dividing by the largest magnitude first keeps the squares of huge and of tiny numbers in range.
        let unit = low.abs().max(high.abs());
        let (count, sum) = present
            .clone()
            .fold((0.0, 0.0), |(count, sum), x| (count + 1.0, sum + x / unit));
        let mean = sum / count;
        let variance = present.map(|x| (x / unit - mean).powi(2)).sum::<f64>() / count;
        let standard = Self {
            mean: mean * unit,
            sd: variance.sqrt() * unit,
        };
        standard.is_sound().then_some(standard)
    }

    /// Whether the numbers can be used: finite, with a deviation that has a finite inverse.
    pub(crate) fn is_sound(&self) -> bool {
        self.mean.is_finite() && self.sd.is_finite() && self.sd > 0.0 && (1.0 / self.sd).is_finite()
    }

    /// Writes the standardised `values` to `out`; a missing one becomes 0, the mean.
    pub(crate) fn apply(&self, values: &[f64], out: &mut Vec<f64>) {
        let (mean, inverse) = (self.mean, 1.0 / self.sd);
        out.clear();
        out.extend(values.iter().map(|value| {
            let z = (value - mean) * inverse;
            if z.is_nan() {
                0.0
            } else {
                z.clamp(-BOUND, BOUND)
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(standard: Standard, values: &[f64]) -> Vec<f64> {
        let mut out = vec![];
        standard.apply(values, &mut out);
        out
    }

    #[test]
    fn standardises_passes_over_missing_and_bounds() {
        let values = [1.0, f64::NAN, 3.0];
        let standard = Standard::fit(values.iter().copied()).unwrap();
        assert_eq!(standard, Standard { mean: 2.0, sd: 1.0 });
        assert_eq!(
            applied(standard, &[1.0, f64::NAN, 3.0, 1e300, -1e300]),
            [-1.0, 0.0, 1.0, 10.0, -10.0]
        );
    }

    #[test]
    fn nothing_to_learn_is_none() {
        assert_eq!(Standard::fit([].into_iter()), None);
        assert_eq!(Standard::fit([f64::NAN; 3].into_iter()), None);
        assert_eq!(Standard::fit([7.5; 3].into_iter()), None);
    }

    #[test]
    fn extreme_magnitudes_stay_finite() {
        for scale in [f64::MAX / 4.0, 1e200, 1e-200] {
            let values = [-scale, 0.0, scale, scale];
            let standard = Standard::fit(values.into_iter()).unwrap();
            let out = applied(standard, &values);
            assert!(
                out.iter()
                    .all(|value| value.is_finite() && value.abs() < 3.0),
                "{scale}: {out:?}"
            );
            assert!(out[0] < out[1] && out[1] < out[2]);
        }
        // The inverse of this deviation overflows: no column rather than an infinite one.
        assert_eq!(
            Standard::fit([0.0, f64::MIN_POSITIVE * 1e-3].into_iter()),
            None
        );
    }
}
