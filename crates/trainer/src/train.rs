//! Trains a model and writes its artefact.

use std::path::Path;

use counterweight_dataset::{Dataset, Loaded, Part, SplitBy};
use counterweight_evaluation::metrics::part_report;
use counterweight_model::{
    Artefact, Convergence, DataReport, PartReport, Regularisation, Report as ModelReport,
};

use crate::card::Card;
use crate::error::TrainerError;
use crate::learn::{Learned, learn};
use crate::measure;
use crate::options::TrainOptions;
use crate::progress::{Progress, Stage, begin};
use crate::targets::Targets;

/// Trains one objective of a dataset and writes a new version into the model folder `out`.
///
/// The training part is used to fit the encoders (out of fold if they use the label), to choose the
/// penalty (by cross-validation over folds that do not divide a group) and to fit the coefficients.
/// The calibrator is fitted on the `calibrate` part, or on the held-out logits of the training part
/// if the split has no such part. The other parts are used for metrics only.
///
/// # Errors
/// [`TrainerError`] if the data cannot be read, a part or the rows outside a fold have only one
/// class, there are too few groups for the folds, an option is out of range, or the artefact cannot
/// be written. In these cases no artefact is written.
pub fn train(
    dataset: &Dataset,
    objective: &str,
    options: &TrainOptions,
    out: &Path,
    report: &mut dyn FnMut(Progress),
) -> Result<Artefact, TrainerError> {
    options.check()?;
    begin(report, Stage::Read);
    let loaded = dataset.load(objective)?;
    let labels = loaded.labels(&loaded.part(Part::Train))?;
    let rule = match labels.threshold {
        Some(threshold) => format!("{}, which is {threshold}", dataset.label_rule(objective)?),
        None => dataset.label_rule(objective)?,
    };
    let positives = labels.values.iter().filter(|&&label| label).count();
    let labels = TrainingLabels {
        targets: &Targets::single(&labels.values),
        label: rule,
        threshold: labels.threshold,
        positives: positives as f64,
    };
    train_on(dataset, &loaded, &labels, options, out, report)
}

/// The labels of a model, and their description.
pub(crate) struct TrainingLabels<'a> {
    pub(crate) targets: &'a Targets<'a>,
    /// The rule of the label in words.
    pub(crate) label: String,
    pub(crate) threshold: Option<f64>,
    /// Number of positive rows; a row with copies counts as its share of positive copies.
    pub(crate) positives: f64,
}

/// The steps that every training shares: learn, measure, write.
pub(crate) fn train_on(
    dataset: &Dataset,
    loaded: &Loaded,
    labels: &TrainingLabels<'_>,
    options: &TrainOptions,
    out: &Path,
    report: &mut dyn FnMut(Progress),
) -> Result<Artefact, TrainerError> {
    let training = loaded.part(Part::Train);
    let calibrate = loaded.part(Part::Calibrate);
    let learned = learn(
        loaded,
        labels.targets,
        &training,
        &calibrate,
        options,
        report,
    )?;

    begin(report, Stage::Measure);
    let mut parts = measure::parts(&learned.model, loaded, labels.targets)?;
    parts.push(part_report(
        "cross-fitted",
        &learned.held_out,
        &labels.targets.copies(&training).labels,
    ));
    let data = data_report(dataset, loaded, labels);
    let model_report = model_report(&learned, loaded, data, parts, options);
    let card = Card::new(&learned, loaded, &training, &model_report, options)?.to_markdown();
    Ok(Artefact::save(learned.model, model_report, &card, out)?)
}

fn data_report(dataset: &Dataset, loaded: &Loaded, labels: &TrainingLabels<'_>) -> DataReport {
    let counts = loaded.counts;
    DataReport {
        dataset: dataset.name().to_owned(),
        fingerprint: loaded.fingerprint.clone(),
        rows_read: counts.read,
        rows_used: counts.kept,
        prior_rate: labels.positives / (counts.kept + counts.sampled_out).max(1) as f64,
        label: labels.label.clone(),
        label_threshold: labels.threshold,
        split: split_rule(dataset, loaded),
    }
}

/// The rule of the split with the sizes of its parts, such as `by group: 700 train, 300 test rows`.
fn split_rule(dataset: &Dataset, loaded: &Loaded) -> String {
    let sizes: Vec<String> = Part::ALL
        .into_iter()
        .map(|part| (part, loaded.part(part).len()))
        .filter(|(_, rows)| *rows > 0)
        .map(|(part, rows)| format!("{rows} {}", part.name()))
        .collect();
    let by = match dataset.split_by() {
        None => "none",
        Some(SplitBy::Group) => "by group",
        Some(SplitBy::Hash) => "by hash",
        Some(SplitBy::Time) => "by time",
        Some(SplitBy::Column) => "by column",
    };
    format!("{by}: {} rows", sizes.join(", "))
}

fn model_report(
    learned: &Learned,
    loaded: &Loaded,
    data: DataReport,
    parts: Vec<PartReport>,
    options: &TrainOptions,
) -> ModelReport {
    let chosen = options.alphas.len() > 1;
    let rows = learned.held_out.len() as f64;
    ModelReport {
        command: options.command.clone(),
        seed: options.seed,
        data,
        parts,
        regularisation: Regularisation {
            alpha: learned.alpha,
            chosen_by: if chosen {
                format!(
                    "{}-fold cross-validation by group on the training part, lowest log loss",
                    options.folds
                )
            } else {
                "given".to_owned()
            },
            curve: if chosen {
                learned.curve.clone()
            } else {
                Vec::new()
            },
        },
        convergence: Convergence {
            converged: learned.fit.converged,
            iterations: learned.fit.newton_steps as u64,
            gradient_norm: learned.fit.relative_gradient,
            loss: learned.fit.objective / rows,
        },
        notes: notes(learned, loaded),
    }
}

/// Notes that a reader needs to judge the figures.
fn notes(learned: &Learned, loaded: &Loaded) -> Vec<String> {
    let mut notes = learned.model.encoders().notes();
    if !learned.fit.converged {
        notes.push(format!(
            "the fit did not converge: the largest entry of its gradient is {:e} per row",
            learned.fit.relative_gradient
        ));
    }
    if learned.unconverged > 0 {
        notes.push(format!(
            "{} fits of the search for a penalty did not converge",
            learned.unconverged
        ));
    }
    if loaded.lossy_rows > 0 {
        notes.push(format!(
            "broken UTF-8 was replaced in {} rows",
            loaded.lossy_rows
        ));
    }
    if let Some(share) = loaded.negatives_kept {
        notes.push(format!(
            "a share of {share} of the training negatives was kept; probabilities are for the \
             whole log, so the metrics on the train part and the cross-fitted ones, whose base rate is \
             higher, do not show calibration"
        ));
    }
    notes
}
