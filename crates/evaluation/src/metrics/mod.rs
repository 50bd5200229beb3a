//! Metrics of one objective's probabilities against 0/1 labels, as scikit-learn defines them, and of ranked pages.
//!
//! Of the functions in this file, every one takes one score or probability per row and one label per row, of the same length, and gives `None` where
//! the metric is not defined (no rows, or one class only where two are needed). Scores must not be NaN.

mod pages;

pub use pages::{Gain, average_precision, exposure, ndcg, ndcg_ties_averaged};

use serde::{Deserialize, Serialize};

/// Area under the ROC curve: the share of (positive, negative) pairs in which the positive scores higher; a tied pair
/// counts ½ (`sklearn.metrics.roc_auc_score`).
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

/// One bin of a calibration table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lower edge; the bin is (low, high], the first one includes 0.
    pub low: f64,
    /// Upper edge.
    pub high: f64,
    /// Number of rows.
    pub rows: usize,
    /// Mean probability of its rows; 0 when there is none.
    pub mean_probability: f64,
    /// Share of positives among its rows; 0 when there is none.
    pub positive_rate: f64,
}

/// Probabilities in `bins` bins of equal width over [0, 1], empty bins included
/// (`sklearn.calibration.calibration_curve`, which leaves the empty ones out).
pub fn calibration_table(
    probabilities: &[f64],
    labels: &[bool],
    bins: usize,
) -> Vec<CalibrationBin> {
    let bins = bins.max(1);
    let width = 1.0 / bins as f64;
    let edge = |bin: usize| if bin == bins { 1.0 } else { bin as f64 * width };
    let inner: Vec<f64> = (1..bins).map(edge).collect();
    let mut sums = vec![(0_usize, 0.0, 0.0); bins];
    for (&probability, &label) in probabilities.iter().zip(labels) {
        let (rows, predicted, positive) =
            &mut sums[inner.partition_point(|&edge| edge < probability)];
        *rows += 1;
        *predicted += probability;
        *positive += f64::from(u8::from(label));
    }
    sums.into_iter()
        .enumerate()
        .map(|(bin, (rows, predicted, positive))| CalibrationBin {
            low: edge(bin),
            high: edge(bin + 1),
            rows,
            mean_probability: predicted / rows.max(1) as f64,
            positive_rate: positive / rows.max(1) as f64,
        })
        .collect()
}

/// Expected calibration error: Σ (rows of the bin / all rows) · |mean probability − positive rate|.
pub fn ece(table: &[CalibrationBin]) -> Option<f64> {
    let rows: usize = table.iter().map(|bin| bin.rows).sum();
    (rows > 0).then(|| {
        table
            .iter()
            .map(|bin| {
                bin.rows as f64 / rows as f64 * (bin.mean_probability - bin.positive_rate).abs()
            })
            .sum()
    })
}

/// How well one objective's probabilities do on one set of rows; `None` where a metric is not defined there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BinaryMetrics {
    /// Number of rows.
    pub rows: usize,
    /// Number of positive labels.
    pub positives: usize,
    /// [`auc`].
    pub auc: Option<f64>,
    /// [`pr_auc`].
    pub pr_auc: Option<f64>,
    /// [`log_loss`], nats.
    pub log_loss: Option<f64>,
    /// [`brier`].
    pub brier: Option<f64>,
    /// [`ece`] over 10 bins.
    pub ece: Option<f64>,
    /// [`calibration_table`] with 10 bins.
    pub calibration: Vec<CalibrationBin>,
}

impl BinaryMetrics {
    /// All metrics of these rows.
    pub fn new(probabilities: &[f64], labels: &[bool]) -> Self {
        let calibration = calibration_table(probabilities, labels, 10);
        Self {
            rows: labels.len(),
            positives: labels.iter().filter(|&&label| label).count(),
            auc: auc(probabilities, labels),
            pr_auc: pr_auc(probabilities, labels),
            log_loss: log_loss(probabilities, labels),
            brier: brier(probabilities, labels),
            ece: ece(&calibration),
            calibration,
        }
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
        assert_eq!(ece(&calibration_table(&[], &[], 10)), None);
    }

    #[test]
    fn a_tied_pair_counts_half() {
        assert_eq!(auc(&[0.5, 0.5], &[true, false]), Some(0.5));
        assert_eq!(auc(&[0.9, 0.5], &[true, false]), Some(1.0));
        assert_eq!(auc(&[0.1, 0.5], &[true, false]), Some(0.0));
    }

    #[test]
    fn an_edge_belongs_to_the_lower_bin() {
        let table = calibration_table(&[0.0, 0.1, 0.5, 1.0], &[false, false, true, true], 10);
        let filled: Vec<usize> = (0..10).filter(|&bin| table[bin].rows > 0).collect();
        assert_eq!(filled, [0, 4, 9]);
        assert_eq!(table[0].rows, 2);
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
