//! The logging policy, which ranked the requests of the log: an older, noisier model of each
//! objective, and a new λ for every request.

use crate::law::probability;
use crate::stream::{Purpose, Stream};

/// Names of the logged models, which are their versions in the log.
pub(crate) const MODEL_VERSIONS: [&str; 2] = ["older-engagement-1", "older-bait-1"];

/// The prediction of the older model, given the true engagement logit at position 1.
pub(crate) fn older_engagement(logit: f64, stream: &mut Stream) -> f64 {
    probability(-0.15 + 0.8 * logit + 0.5 * stream.normal())
}

/// The prediction of the older model, given the true bait logit.
pub(crate) fn older_bait(logit: f64, stream: &mut Stream) -> f64 {
    probability(-0.2 + 0.7 * logit + 0.9 * stream.normal())
}

/// λ of a request, uniform on [low, high). It depends only on the logged seed and the range.
pub(crate) fn lambda(seed: i64, low: f64, high: f64) -> f64 {
    low + (high - low) * Stream::new(seed.cast_unsigned(), Purpose::Lambda, 0).unit()
}

/// The indices of the candidates, best first by e − λ·b; equal scores are ordered by id.
pub(crate) fn order(engagement: &[f64], bait: &[f64], ids: &[&str], lambda: f64) -> Vec<usize> {
    let score = |i: usize| engagement[i] - lambda * bait[i];
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|&i, &j| {
        score(j)
            .total_cmp(&score(i))
            .then_with(|| ids[i].cmp(ids[j]))
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_break_on_the_id_ascending() {
        assert_eq!(
            order(&[0.5, 0.7, 0.5], &[0.1, 0.2, 0.1], &["b", "c", "a"], 1.0),
            [1, 2, 0]
        );
        assert_eq!(
            order(&[0.5, 0.7, 0.5], &[0.1, 0.9, 0.1], &["b", "c", "a"], 1.0),
            [2, 0, 1]
        );
    }

    #[test]
    fn lambda_stays_in_its_range() {
        for seed in 0..1_000 {
            assert!((0.5..2.0).contains(&lambda(seed, 0.5, 2.0)));
        }
    }
}
