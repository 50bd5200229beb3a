//! k-fold evaluation by group, in which everything is refitted per fold: the honest figure of a recipe.

use counterweight_dataset::Dataset;
use counterweight_model::PartReport;
use serde::Serialize;

use crate::learn::learn;
use crate::progress::{Progress, Stage, step};
use crate::targets::Targets;
use crate::{TrainOptions, TrainerError, measure, train};

/// Metrics of one fold, for a model trained on the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldMetrics {
    /// The fold, from 0.
    pub fold: u32,
    /// Rows held out.
    pub rows: u64,
    /// Positives among them.
    pub positives: u64,
    /// Area under the ROC curve; none where one class is absent.
    pub auc: Option<f64>,
    /// Mean log loss, nats.
    pub log_loss: Option<f64>,
    /// Expected calibration error, 10 equal-width bins.
    pub ece: Option<f64>,
    /// The penalty chosen on the other folds.
    pub alpha: f64,
}

/// One row of the data with the prediction of the model that did not see its fold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FoldRow {
    /// The row in file order, from 0; rows that were filtered out or have no label are counted but not there.
    pub row: u64,
    /// The fold that the row was held out in.
    pub fold: u32,
    /// Its label; where the rule needs a median, that of the other folds.
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
    /// Metrics of all rows together, each as predicted by the model that did not see its fold. Bins that hold the rows of all
    /// folds tell miscalibration from the noise of few rows, which the folds' own calibration errors do not.
    pub pooled: PartReport,
    /// Every row, in file order.
    pub rows: Vec<FoldRow>,
}

impl FoldTable {
    /// Mean over the folds of AUC, log loss and ECE; none where a fold has none.
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

/// Deals all rows of an objective into `k` folds that divide no group and predicts each with a model trained on the others:
/// encoders, label median, penalty, coefficients and calibrator. The parts of the dataset's split play no role.
///
/// # Errors
/// As [`train()`](crate::train()), and [`TrainerError::SampledFolds`] for an objective that samples its negatives.
pub fn fold_table(
    dataset: &Dataset,
    objective: &str,
    k: usize,
    options: &TrainOptions,
    report: &mut dyn FnMut(Progress),
) -> Result<FoldTable, TrainerError> {
    train::check(options)?;
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
        let labels = loaded.labels(&training)?;
        let learned = learn(
            &loaded,
            &Targets::plain(&labels.values),
            &training,
            &[],
            options,
            &mut |_| {},
        )?;
        let probabilities = measure::probabilities(&learned.model, &loaded, &held_out)?;
        let held_labels: Vec<bool> = held_out.iter().map(|&row| labels.values[row]).collect();
        let metrics = measure::report("held out", &probabilities, &held_labels);
        folds.push(FoldMetrics {
            fold,
            rows: metrics.rows,
            positives: metrics.positives,
            auc: metrics.auc,
            log_loss: metrics.log_loss,
            ece: metrics.ece,
            alpha: learned.alpha,
        });
        let labelled = held_out.iter().zip(held_labels).zip(probabilities);
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
        pooled: measure::report("held out", &probabilities, &labels),
        rows,
    })
}
