//! Metrics of one objective's probabilities against 0/1 labels, as scikit-learn defines them, and
//! of ranked pages.
//!
//! Every function in this file takes one score or probability per row and one label per row, in
//! slices of the same length. It returns `None` when the metric is not defined: without rows, or
//! with one class when two are needed. Scores must not be NaN.

mod calibration;
mod pages;

pub(crate) use calibration::BinSums;
pub use calibration::{calibration_table, ece};
pub use pages::{Gain, average_precision, exposure, ndcg, ndcg_ties_averaged};

use counterweight_model::PartReport;

/// Area under the ROC curve: the share of (positive, negative) pairs in which the positive scores
/// higher; a tied pair counts ½ (`sklearn.metrics.roc_auc_score`).
///
/// ```
/// use counterweight_evaluation::metrics::auc;
///
/// assert_eq!(auc(&[0.9, 0.4, 0.4], &[true, true, false]), Some(0.75));
/// assert_eq!(auc(&[0.9], &[true]), None); // no pair
/// ```
pub fn auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let positives = labels.iter().filter(|&&label| label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut negatives_above = 0.0;
    let mut pairs_lost = 0.0;
    for group in tie_groups(scores, labels) {
        pairs_lost += group.positives * (negatives_above + 0.5 * group.negatives);
        negatives_above += group.negatives;
    }
    Some(1.0 - pairs_lost / (positives * negatives))
}

/// Average precision, Σ (Rₙ − Rₙ₋₁)·Pₙ over the distinct scores, step-wise without interpolation
/// (`sklearn.metrics.average_precision_score`).
pub fn pr_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let positives = labels.iter().filter(|&&label| label).count() as f64;
    if positives == 0.0 {
        return None;
    }
    let (mut hits, mut seen, mut area) = (0.0, 0.0, 0.0);
    for group in tie_groups(scores, labels) {
        hits += group.positives;
        seen += group.positives + group.negatives;
        area += group.positives / positives * (hits / seen);
    }
    Some(area)
}

struct TieGroup {
    positives: f64,
    negatives: f64,
}

/// Rows of equal score, highest score first.
fn tie_groups(scores: &[f64], labels: &[bool]) -> Vec<TieGroup> {
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|group| {
            let positives = group.iter().filter(|row| row.1).count();
            TieGroup {
                positives: positives as f64,
                negatives: (group.len() - positives) as f64,
            }
        })
        .collect()
}

/// Mean negative log likelihood in nats; probabilities are clipped to [ε, 1 − ε], ε = 2⁻⁵²
/// (`sklearn.metrics.log_loss`).
pub fn log_loss(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    mean(
        probabilities
            .iter()
            .zip(labels)
            .map(|(&probability, &label)| {
                let clipped = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                // As the reference has it: the clipped 1 − p, not ln_1p(−p).
                if label {
                    -clipped.ln()
                } else {
                    -(1.0 - clipped).ln()
                }
            }),
    )
}

/// Mean squared error of the probability (`sklearn.metrics.brier_score_loss`).
pub fn brier(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    mean(
        probabilities
            .iter()
            .zip(labels)
            .map(|(&probability, &label)| {
                let error = probability - f64::from(u8::from(label));
                error * error
            }),
    )
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// How well one objective's probabilities do on one set of rows, which is called `part`.
pub fn part_report(part: &str, probabilities: &[f64], labels: &[bool]) -> PartReport {
    let calibration = calibration_table(probabilities, labels);
    PartReport {
        part: part.to_owned(),
        rows: labels.len() as u64,
        positives: labels.iter().filter(|&&label| label).count() as u64,
        auc: auc(probabilities, labels),
        pr_auc: pr_auc(probabilities, labels),
        log_loss: log_loss(probabilities, labels),
        brier: brier(probabilities, labels),
        ece: ece(&calibration),
        calibration,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_defined_is_none() {
        assert_eq!(auc(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(pr_auc(&[0.1], &[false]), None);
        assert_eq!(log_loss(&[], &[]), None);
    }

    #[test]
    fn a_tied_pair_counts_half() {
        assert_eq!(auc(&[0.5, 0.5], &[true, false]), Some(0.5));
        assert_eq!(auc(&[0.9, 0.5], &[true, false]), Some(1.0));
        assert_eq!(auc(&[0.1, 0.5], &[true, false]), Some(0.0));
    }

    #[test]
    fn certainty_that_is_wrong_costs_a_finite_loss() {
        assert!(log_loss(&[0.0], &[true]).unwrap().is_finite());
    }

    proptest! {
        #[test]
        fn auc_counts_pairs(rows in prop::collection::vec((0u8..6, any::<bool>()), 2..40)) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (i, &positive) in labels.iter().enumerate() {
                for (j, &other) in labels.iter().enumerate() {
                    if positive && !other {
                        pairs += 1.0;
                        won += if scores[i] > scores[j] { 1.0 } else if scores[i] == scores[j] { 0.5 } else { 0.0 };
                    }
                }
            }
            match auc(&scores, &labels) {
                None => prop_assert_eq!(pairs, 0.0),
                Some(auc) => prop_assert!((auc - won / pairs).abs() < 1e-12),
            }
        }
    }
}
