//! A band that holds a whole curve at once.

use crate::deviation;

/// A simultaneous band around one curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// Lower end at each point.
    pub low: Vec<f64>,
    /// Upper end at each point.
    pub high: Vec<f64>,
    /// By how many standard errors the band is wide on each side: the quantile of max |t|.
    pub critical: f64,
}

impl Band {
    /// The band that holds the curve at all points at once with probability `level` (0.95, say), as
    /// far as the replicates tell: estimate ± critical · standard error. Each replicate has a value
    /// at each point, NaN where the curve is not defined in it. Where the standard error is 0, the
    /// band has no width there; NaN where fewer than two replicates are defined.
    pub fn new<R: AsRef<[f64]>>(estimate: &[f64], replicates: &[R], level: f64) -> Self {
        let errors = Self::standard_errors(estimate.len(), replicates);
        let mut largest: Vec<f64> = replicates
            .iter()
            .map(|values| {
                let t = |((value, estimate), error): ((&f64, &f64), &f64)| {
                    ((value - estimate) / error).abs()
                };
                let all = values.as_ref().iter().zip(estimate).zip(&errors).map(t);
                // 0/0 where the curve does not scatter: no evidence of how wide the band must be.
                all.filter(|t| t.is_finite()).fold(0.0, f64::max)
            })
            .collect();
        largest.sort_unstable_by(f64::total_cmp);
        let rank = (level * largest.len() as f64).ceil() as usize;
        let critical = largest
            .get(rank.clamp(1, largest.len().max(1)) - 1)
            .copied()
            .unwrap_or(f64::NAN);
        let end = |side: f64| {
            let each = estimate.iter().zip(&errors);
            each.map(|(value, error)| value + side * critical * error)
                .collect()
        };
        Self {
            low: end(-1.0),
            high: end(1.0),
            critical,
        }
    }

    /// The standard deviation at each of `points` points over the replicates that are defined
    /// there; NaN where fewer than two are.
    pub fn standard_errors<R: AsRef<[f64]>>(points: usize, replicates: &[R]) -> Vec<f64> {
        let error = |point| {
            let at = |values: &R| -> f64 { values.as_ref()[point] };
            let values = replicates.iter().map(at);
            deviation(values.filter(|value| value.is_finite()))
        };
        (0..points).map(error).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_reaches_as_far_as_the_share_of_replicates_asks() {
        let estimate = [1.0, 2.0];
        let replicates = [[0.0, 2.0], [2.0, 2.0], [1.0, 2.0], [1.0, 2.0]];
        let error = (2.0_f64 / 3.0).sqrt();
        assert_eq!(Band::standard_errors(2, &replicates), [error, 0.0]);
        let half = Band::new(&estimate, &replicates, 0.5);
        assert_eq!((half.critical, half.low[0]), (0.0, 1.0));
        let all = Band::new(&estimate, &replicates, 1.0);
        assert_eq!(all.critical, 1.0 / error);
        assert!((all.low[0] - 0.0).abs() < 1e-15 && (all.high[0] - 2.0).abs() < 1e-15);
        assert_eq!((all.low[1], all.high[1]), (2.0, 2.0));
    }

    #[test]
    fn too_few_replicates_give_no_band() {
        let none: [[f64; 1]; 0] = [];
        assert!(Band::new(&[1.0], &none, 0.95).critical.is_nan());
        assert!(Band::new(&[1.0], &[[1.5]], 0.95).low[0].is_nan());
        let undefined = [[f64::NAN], [1.0], [3.0]];
        assert_eq!(Band::standard_errors(1, &undefined), [2.0_f64.sqrt()]);
    }
}
