//! Chooses the penalty on the training part, by cross-validation over folds that do not divide a
//! group.

use counterweight_model::{CurvePoint, softplus};

use crate::fit::{FitError, FitOptions, Fitted, fit};
use crate::progress::{Report, Stage, step};

/// Gradient per row at which a fit stops. The error of the held-out log loss is then far smaller
/// than its differences between folds.
const TOLERANCE: f64 = 1e-6;

/// The result of the search.
pub(crate) struct Search {
    /// The penalty with the lowest held-out log loss. The one-standard-error rule is not used,
    /// because the log loss differs far more between folds by group than between penalties on the
    /// same fold.
    pub(crate) alpha: f64,
    /// Every penalty that was tried, in increasing order.
    pub(crate) curve: Vec<CurvePoint>,
    /// The logit of every row at the chosen penalty, from the fit without the row's fold.
    pub(crate) held_out: Vec<f64>,
    /// The number of fits whose gradient stayed above the tolerance.
    pub(crate) unconverged: usize,
}

/// The encoded training rows.
pub(crate) struct Training<'a> {
    pub(crate) columns: &'a [Vec<f64>],
    pub(crate) labels: &'a [bool],
    /// The fold of each row, numbered from 0.
    pub(crate) folds: &'a [u32],
}

/// Tries every penalty on every fold, from the strongest to the weakest. Each fit of a fold starts
/// at the result of the fit before.
pub(crate) fn search(
    training: &Training<'_>,
    alphas: &[f64],
    seed: u64,
    report: Report<'_>,
) -> Result<Search, FitError> {
    let mut order = alphas.to_vec();
    order.sort_by(|a, b| b.total_cmp(a));
    let folds = training.folds.iter().max().map_or(0, |&last| last + 1);
    let fits = folds as usize * order.len();
    let mut logits = vec![vec![0.0; training.labels.len()]; order.len()];
    let mut unconverged = 0;
    let mut done = 0;
    for fold in 0..folds {
        let (inside, outside) = split(training.folds, fold);
        let columns: Vec<Vec<f64>> = training
            .columns
            .iter()
            .map(|c| gather(c, &inside))
            .collect();
        let labels = gather(training.labels, &inside);
        let mut last: Option<Fitted> = None;
        for (alpha, logits) in order.iter().zip(&mut logits) {
            step(report, Stage::Search, done, Some(fits));
            let options = FitOptions {
                alpha: *alpha,
                seed,
                tolerance: TOLERANCE,
                ..FitOptions::default()
            };
            let fitted = fit(&columns, &labels, &options, last.as_ref())?;
            predict(&fitted, training.columns, &outside, logits);
            unconverged += usize::from(!fitted.report.converged);
            last = Some(fitted);
            done += 1;
        }
    }
    step(report, Stage::Search, fits, Some(fits));
    let mut tried: Vec<(CurvePoint, Vec<f64>)> = order
        .iter()
        .zip(logits)
        .map(|(&alpha, logits)| (point(alpha, training, &logits, folds), logits))
        .collect();
    tried.reverse();
    let curve: Vec<CurvePoint> = tried.iter().map(|(point, _)| *point).collect();
    let best = (0..curve.len())
        .min_by(|&a, &b| curve[a].log_loss.total_cmp(&curve[b].log_loss))
        .unwrap_or(0);
    let (chosen, held_out) = tried.swap_remove(best);
    Ok(Search {
        alpha: chosen.alpha,
        curve,
        held_out,
        unconverged,
    })
}

/// The point of the curve for `alpha`: mean log loss over all rows, and the standard error of the
/// mean over the folds.
fn point(alpha: f64, training: &Training<'_>, logits: &[f64], folds: u32) -> CurvePoint {
    let mut sums = vec![(0.0, 0.0); folds as usize];
    for ((&logit, &label), &fold) in logits.iter().zip(training.labels).zip(training.folds) {
        let (loss, rows) = &mut sums[fold as usize];
        *loss += softplus(if label { -logit } else { logit });
        *rows += 1.0;
    }
    let total: f64 = sums.iter().map(|(loss, _)| loss).sum();
    let means: Vec<f64> = sums
        .iter()
        .filter(|(_, rows)| *rows > 0.0)
        .map(|(loss, rows)| loss / rows)
        .collect();
    let count = means.len() as f64;
    let mean = means.iter().sum::<f64>() / count;
    let variance = means.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    CurvePoint {
        alpha,
        log_loss: total / training.labels.len() as f64,
        standard_error: (variance / count).sqrt(),
    }
}

fn split(folds: &[u32], fold: u32) -> (Vec<usize>, Vec<usize>) {
    (0..folds.len()).partition(|&row| folds[row] != fold)
}

fn gather<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| values[row]).collect()
}

fn predict(fitted: &Fitted, columns: &[Vec<f64>], rows: &[usize], logits: &mut [f64]) {
    for &row in rows {
        logits[row] = fitted.intercept;
    }
    for (column, weight) in columns.iter().zip(&fitted.coefficients) {
        for &row in rows {
            logits[row] += weight * column[row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::DEFAULT_ALPHAS;

    /// All rows of a group have the same label, and the columns only name the group, so the columns
    /// do not help with the groups of another fold.
    #[test]
    fn columns_that_only_name_the_group_get_the_strongest_penalty() {
        let rows = 400;
        let labels: Vec<bool> = (0..rows).map(|row| (row % 20) * 7 % 3 == 0).collect();
        let folds: Vec<u32> = (0..rows).map(|row| (row as u32 % 20) / 4).collect();
        // One indicator per group.
        let columns: Vec<Vec<f64>> = (0..20)
            .map(|group| {
                (0..rows)
                    .map(|row| f64::from(u8::from(row % 20 == group)))
                    .collect()
            })
            .collect();
        let training = Training {
            columns: &columns,
            labels: &labels,
            folds: &folds,
        };
        let found = search(&training, &DEFAULT_ALPHAS, 1, &mut |_| {}).unwrap();
        assert_eq!(found.alpha, 10_000.0);
        assert_eq!(found.curve.len(), 7);
        assert!(
            found
                .curve
                .windows(2)
                .all(|pair| pair[0].alpha < pair[1].alpha)
        );
        assert!(found.curve[0].log_loss > found.curve[6].log_loss);
        assert_eq!(found.unconverged, 0);
    }

    #[test]
    fn held_out_logits_come_from_the_other_folds() {
        // The labels of fold 0 rise with the column and those of fold 1 fall, so the fit on one
        // fold predicts the opposite of the other's labels.
        let column: Vec<f64> = (0..200).map(|row| f64::from(row % 10)).collect();
        let folds: Vec<u32> = (0..200).map(|row| u32::from(row >= 100)).collect();
        let labels: Vec<bool> = (0..200)
            .map(|row| (column[row] > 4.5) == (row < 100))
            .collect();
        let columns = [column];
        let training = Training {
            columns: &columns,
            labels: &labels,
            folds: &folds,
        };
        let found = search(&training, &[1.0], 1, &mut |_| {}).unwrap();
        assert!((0..200).all(|row| (found.held_out[row] > 0.0) != labels[row]));
    }

    #[test]
    fn reports_every_fit() {
        let columns = [(0..60).map(|row| f64::from(row % 7)).collect::<Vec<f64>>()];
        let labels: Vec<bool> = (0..60).map(|row| row % 3 == 0).collect();
        let folds: Vec<u32> = (0..60).map(|row| row / 20).collect();
        let training = Training {
            columns: &columns,
            labels: &labels,
            folds: &folds,
        };
        let mut seen = Vec::new();
        search(&training, &[1.0, 2.0], 1, &mut |progress| {
            seen.push(progress.done);
        })
        .unwrap();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    }
}
