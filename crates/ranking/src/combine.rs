//! score = Σ weight · probability, and the order that it gives.

use std::cmp::Ordering;

/// weight · probability, with −0 as 0.
pub fn contribution(weight: f64, probability: f64) -> f64 {
    weight * probability + 0.0
}

/// The score of each of n candidates: the sum of its contributions, added in objective order from
/// 0, so that whoever has weights and probabilities recomputes every score to the bit.
///
/// `weights` has one weight per objective and `probabilities` one column of length n per objective,
/// in the same order. Objectives beyond the shorter of the two are left out, and so are candidates
/// beyond the shortest column.
///
/// ```
/// use counterweight_ranking::{combine, top_k};
///
/// let (engagement, bait) = ([0.5, 0.75, 0.25], [0.25, 1.0, 0.0]);
/// let scores = combine(&[1.0, -0.5], &[engagement, bait]);
/// assert_eq!(scores, [0.375, 0.25, 0.25]);
/// // Ties go to the smaller id.
/// assert_eq!(top_k(&scores, &["a", "b", "c"], 2), [0, 1]);
/// ```
pub fn combine<P: AsRef<[f64]>>(weights: &[f64], probabilities: &[P]) -> Vec<f64> {
    let n = probabilities
        .iter()
        .map(|column| column.as_ref().len())
        .min()
        .unwrap_or(0);
    let mut scores = vec![0.0; n];
    for (&weight, column) in weights.iter().zip(probabilities) {
        for (score, &probability) in scores.iter_mut().zip(column.as_ref()) {
            *score += contribution(weight, probability);
        }
    }
    scores
}

/// Positions of the k best candidates, best first: score descending by `total_cmp`, ties by id
/// ascending. `k` = 0 or beyond n gives all n. With unique ids the order is total, so the same
/// input always gives the same output.
///
/// `scores` and `ids` have the same length n.
pub fn top_k<S: AsRef<str>>(scores: &[f64], ids: &[S], k: usize) -> Vec<usize> {
    let n = scores.len().min(ids.len());
    let better = |&a: &usize, &b: &usize| -> Ordering {
        scores[b]
            .total_cmp(&scores[a])
            .then_with(|| ids[a].as_ref().cmp(ids[b].as_ref()))
    };
    let mut order: Vec<usize> = (0..n).collect();
    if k > 0 && k < n {
        order.select_nth_unstable_by(k - 1, better);
        order.truncate(k);
    }
    order.sort_unstable_by(better);
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn contributions_are_added_in_objective_order_and_minus_zero_is_zero() {
        let scores = combine(&[1.0, -0.5], &[vec![0.3, 0.0], vec![0.2, 0.0]]);
        assert_eq!(scores[0].to_bits(), (0.3 + -0.5 * 0.2_f64).to_bits());
        assert_eq!(scores[1].to_bits(), 0.0_f64.to_bits());
        assert_eq!(contribution(-1.0, 0.0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn ties_break_on_the_id_ascending() {
        assert_eq!(
            top_k(&[0.5, 0.5, 0.9, 0.5], &["c", "a", "z", "b"], 3),
            [2, 1, 3]
        );
    }

    #[test]
    fn zero_or_a_large_k_gives_all() {
        assert_eq!(top_k(&[0.1, 0.2], &["a", "b"], 0), [1, 0]);
        assert_eq!(top_k(&[0.1, 0.2], &["a", "b"], 9), [1, 0]);
        assert!(top_k::<&str>(&[], &[], 3).is_empty());
    }

    proptest! {
        #[test]
        fn the_top_k_is_the_head_of_the_full_order(scores in prop::collection::vec(-3i8..3, 1..60), k in 0usize..70) {
            let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
            let ids: Vec<String> = (0..scores.len()).map(|i| format!("{:03}", (i * 37) % 101)).collect();
            let all = top_k(&scores, &ids, 0);
            let head = top_k(&scores, &ids, k);
            let expected = if k == 0 { all.len() } else { k.min(all.len()) };
            prop_assert_eq!(&head[..], &all[..expected]);
            prop_assert!(all.windows(2).all(|w| scores[w[0]] > scores[w[1]]
                || (scores[w[0]] == scores[w[1]] && ids[w[0]] < ids[w[1]])));
        }

        #[test]
        fn the_score_is_recomputed_to_the_bit(w in prop::array::uniform3(-10.0..10.0f64), p in prop::collection::vec(prop::array::uniform3(0.0..1.0f64), 1..20)) {
            let columns: Vec<Vec<f64>> = (0..3).map(|m| p.iter().map(|row| row[m]).collect()).collect();
            for (score, row) in combine(&w, &columns).iter().zip(&p) {
                let again = w.iter().zip(row).fold(0.0, |sum, (w, p)| sum + (w * p + 0.0));
                prop_assert_eq!(score.to_bits(), f64::to_bits(again));
            }
        }
    }
}
