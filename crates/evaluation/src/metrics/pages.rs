//! Metrics of one ranked request, as retrieval defines them.
//!
//! A ranking is given by one score per candidate, best highest; equal scores rank in the order of
//! the slices, unless said otherwise. Scores must not be NaN.

use counterweight_ranking::sweep::Discount;

/// What a relevant candidate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gain {
    /// rel.
    Linear,
    /// 2^rel − 1.
    Exponential,
}

impl Gain {
    fn value(self, relevance: f64) -> f64 {
        match self {
            Self::Linear => relevance,
            Self::Exponential => relevance.exp2() - 1.0,
        }
    }
}

/// Positions of all candidates, best first, equal scores as they stand.
fn ranked(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| (scores[b] + 0.0).total_cmp(&(scores[a] + 0.0)));
    order
}

/// Places of the page: `k`, or all where `k` is 0 or beyond n.
fn places(k: usize, n: usize) -> usize {
    if k == 0 { n } else { k.min(n) }
}

/// NDCG@k with discount 1 / log₂(place + 1), in [0, 1] for relevances ≥ 0. Equal scores rank as
/// they stand (`pytrec_eval` `ndcg_cut`, given that order; `ranx` `ndcg` and, with
/// [`Gain::Exponential`], `ndcg_burges`). 0 where nothing is relevant, `None` without candidates.
/// `k` = 0 ranks all.
pub fn ndcg(scores: &[f64], relevance: &[f64], k: usize, gain: Gain) -> Option<f64> {
    let order = ranked(scores);
    let gains = order
        .iter()
        .map(|&candidate| gain.value(relevance[candidate]));
    ndcg_of(gains, relevance, k, gain)
}

/// NDCG@k in which equal scores share: each candidate of a tied group gains the mean of the group
/// (McSherry and Najork, 2008; `sklearn.metrics.ndcg_score`). No order of the rows can flatter it.
pub fn ndcg_ties_averaged(scores: &[f64], relevance: &[f64], k: usize, gain: Gain) -> Option<f64> {
    let order = ranked(scores);
    let groups = order.chunk_by(|&a, &b| scores[a] == scores[b]);
    let gains = groups.flat_map(|group| {
        let sum: f64 = group
            .iter()
            .map(|&candidate| gain.value(relevance[candidate]))
            .sum();
        std::iter::repeat_n(sum / group.len() as f64, group.len())
    });
    ndcg_of(gains, relevance, k, gain)
}

/// `gains` by place.
fn ndcg_of(
    gains: impl Iterator<Item = f64>,
    relevance: &[f64],
    k: usize,
    gain: Gain,
) -> Option<f64> {
    let places = places(k, relevance.len());
    let dcg = |gains: &mut dyn Iterator<Item = f64>| -> f64 {
        let page = gains.take(places).enumerate();
        page.map(|(place, gain)| gain * Discount::Log2.weight(place))
            .sum()
    };
    let reached = dcg(&mut { gains });
    let mut best: Vec<f64> = relevance
        .iter()
        .map(|&relevance| gain.value(relevance))
        .collect();
    best.sort_unstable_by(|a, b| b.total_cmp(a));
    let ideal = dcg(&mut best.into_iter());
    (!relevance.is_empty()).then(|| if ideal > 0.0 { reached / ideal } else { 0.0 })
}

/// Average precision at k: the precisions at the places of the relevant candidates on the page,
/// summed and divided by the number of all relevant candidates, on the page or not (`pytrec_eval`
/// `map_cut`). Equal scores rank as they stand. `None` where nothing is relevant. `k` = 0 ranks
/// all.
pub fn average_precision(scores: &[f64], relevant: &[bool], k: usize) -> Option<f64> {
    let all = relevant.iter().filter(|&&relevant| relevant).count();
    let (mut hits, mut sum) = (0.0, 0.0);
    for (place, candidate) in ranked(scores)
        .into_iter()
        .take(places(k, scores.len()))
        .enumerate()
    {
        if relevant[candidate] {
            hits += 1.0;
            sum += hits / (place as f64 + 1.0);
        }
    }
    (all > 0).then(|| sum / all as f64)
}

/// Position-weighted exposure: Σ d·y / Σ d over the values of a page, best place first; `None` for
/// an empty page. The mean with [`Discount::Flat`]. The values are predicted probabilities or what
/// came of them.
pub fn exposure(page: &[f64], discount: Discount) -> Option<f64> {
    let discounts = || (0..page.len()).map(|place| discount.weight(place));
    let sum: f64 = page
        .iter()
        .zip(discounts())
        .map(|(value, discount)| value * discount)
        .sum();
    (!page.is_empty()).then(|| sum / discounts().sum::<f64>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_defined_is_none_or_zero() {
        assert_eq!(ndcg(&[], &[], 3, Gain::Linear), None);
        assert_eq!(ndcg(&[0.5, 0.1], &[0.0, 0.0], 3, Gain::Linear), Some(0.0));
        assert_eq!(average_precision(&[0.5], &[false], 1), None);
        assert_eq!(exposure(&[], Discount::Log2), None);
    }

    #[test]
    fn equal_scores_rank_as_they_stand_or_share() {
        let (tied, relevance) = ([0.5, 0.5, -0.0, 0.0], [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(ndcg(&tied, &relevance, 1, Gain::Linear), Some(0.0));
        assert_eq!(
            ndcg_ties_averaged(&tied, &relevance, 1, Gain::Linear),
            Some(0.5)
        );
        assert_eq!(
            average_precision(&tied, &[true, true, false, true], 2),
            Some(2.0 / 3.0)
        );
    }

    #[test]
    fn exposure_weighs_the_top_most() {
        assert_eq!(exposure(&[1.0, 0.0, 0.5], Discount::Flat), Some(0.5));
        let top = exposure(&[1.0, 0.0], Discount::Log2).unwrap();
        assert!((top - 1.0 / (1.0 + 1.0 / 3.0_f64.log2())).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn no_order_of_the_rows_changes_what_ties_share(rows in prop::collection::vec((0u8..4, 0u8..3), 1..20), k in 0usize..8) {
            let ndcg = |rows: &[(u8, u8)]| {
                let (scores, relevance): (Vec<f64>, Vec<f64>) = rows.iter().map(|&(s, r)| (f64::from(s), f64::from(r))).unzip();
                ndcg_ties_averaged(&scores, &relevance, k, Gain::Exponential).unwrap()
            };
            let mut reversed = rows.clone();
            reversed.reverse();
            prop_assert!((ndcg(&rows) - ndcg(&reversed)).abs() < 1e-12);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&ndcg(&rows)));
        }
    }
}
