//! k-fold evaluation by group, which refits everything for each fold. It estimates how good a
//! trained model is on unseen groups.

use counterweight_dataset::Dataset;
use counterweight_evaluation::metrics::part_report;
use counterweight_model::PartReport;
use serde::Serialize;

use crate::error::TrainerError;
use crate::learn::learn;
use crate::measure;
use crate::options::TrainOptions;
use crate::progress::{Progress, Stage, step};
use crate::targets::Targets;

/// Metrics of one fold, for a model that was trained on the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldMetrics {
    /// The fold, from 0.
    pub fold: u32,
    /// Number of rows in the fold.
    pub rows: u64,
    /// Positives among them.
    pub positives: u64,
    /// Area under the ROC curve; `None` if one class is absent.
    pub auc: Option<f64>,
    /// Mean log loss in nats.
    pub log_loss: Option<f64>,
    /// Expected calibration error with 10 equal-width bins.
    pub ece: Option<f64>,
    /// The penalty that was chosen on the other folds.
    pub alpha: f64,
}

/// One row, with the prediction of the model that was trained without its fold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FoldRow {
    /// Number of the row in the files, from 0. Rows that were filtered out or have no label are
    /// counted too, but they are not in the table.
    pub row: u64,
    /// The fold that contains the row.
    pub fold: u32,
    /// Its label; a rule with a training median uses the median of the other folds.
    pub label: bool,
    /// Its calibrated probability.
    pub probability: f64,
}

/// The result of a k-fold evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldTable {
    /// The objective.
    pub objective: String,
    /// One entry per fold.
    pub folds: Vec<FoldMetrics>,
    /// Metrics of all rows together, each predicted by the model that was trained without its fold.
    /// The calibration error has more rows per bin here, so it is less noisy than those of single
    /// folds.
    pub pooled: PartReport,
    /// Every row, in file order.
    pub rows: Vec<FoldRow>,
}

impl FoldTable {
    /// Mean AUC, log loss and ECE over the folds; `None` if a fold lacks the metric.
    #[must_use]
    pub fn means(&self) -> [Option<f64>; 3] {
        let mean = |metric: fn(&FoldMetrics) -> Option<f64>| {
            let values: Option<Vec<f64>> = self.folds.iter().map(metric).collect();
            values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
        };
        [
            mean(|fold| fold.auc),
            mean(|fold| fold.log_loss),
            mean(|fold| fold.ece),
        ]
    }
}

/// Divides all rows of an objective into `k` folds without dividing a group, and predicts each fold
/// with a model whose encoders, label median, penalty, coefficients and calibrator are fitted on
/// the other folds. The split of the dataset is not used.
///
/// # Errors
/// As [`train()`](crate::train()), and [`TrainerError::SampledFolds`] for an objective that samples
/// its negatives.
pub fn fold_table(
    dataset: &Dataset,
    objective: &str,
    k: usize,
    options: &TrainOptions,
    report: &mut dyn FnMut(Progress),
) -> Result<FoldTable, TrainerError> {
    options.check()?;
    step(report, Stage::Fold, 0, Some(k));
    let loaded = dataset.load(objective)?;
    if loaded.negatives_kept.is_some() {
        return Err(TrainerError::SampledFolds {
            objective: loaded.objective,
        });
    }
    let fold_of = loaded.folds(k, options.seed)?;
    let mut folds = Vec::with_capacity(k);
    let mut rows = Vec::with_capacity(fold_of.len());
    for fold in (0..).take(k) {
        let (training, held_out): (Vec<usize>, Vec<usize>) =
            (0..fold_of.len()).partition(|&row| fold_of[row] != fold);
        let in_fold = |source: TrainerError| TrainerError::Fold {
            fold,
            folds: k,
            source: Box::new(source),
        };
        let labels = loaded
            .labels(&training)
            .map_err(|error| in_fold(error.into()))?;
        let learned = learn(
            &loaded,
            &Targets::single(&labels.values),
            &training,
            &[],
            options,
            &mut |_| {},
        )
        .map_err(in_fold)?;
        let probabilities = measure::probabilities(&learned.model, &loaded, &held_out)?;
        let held_out_labels: Vec<bool> = held_out.iter().map(|&row| labels.values[row]).collect();
        let metrics = part_report("held out", &probabilities, &held_out_labels);
        folds.push(FoldMetrics {
            fold,
            rows: metrics.rows,
            positives: metrics.positives,
            auc: metrics.auc,
            log_loss: metrics.log_loss,
            ece: metrics.ece,
            alpha: learned.alpha,
        });
        let labelled = held_out.iter().zip(held_out_labels).zip(probabilities);
        rows.extend(labelled.map(|((&row, label), probability)| FoldRow {
            row: loaded.rows.numbers[row],
            fold,
            label,
            probability,
        }));
        step(report, Stage::Fold, folds.len(), Some(k));
    }
    rows.sort_unstable_by_key(|row| row.row);
    let probabilities: Vec<f64> = rows.iter().map(|row| row.probability).collect();
    let labels: Vec<bool> = rows.iter().map(|row| row.label).collect();
    Ok(FoldTable {
        objective: objective.to_owned(),
        folds,
        pooled: part_report("held out", &probabilities, &labels),
        rows,
    })
}
