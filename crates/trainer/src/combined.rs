//! One model of a weighted sum of two losses, for comparison with one model per objective.

use std::path::Path;

use counterweight_dataset::{Dataset, Loaded, Part};
use counterweight_model::Artefact;

use crate::error::TrainerError;
use crate::options::TrainOptions;
use crate::progress::{Progress, Stage, begin};
use crate::targets::Targets;
use crate::train::{TrainingLabels, train_on};

/// The loss m·BCE(f, label of `gained`) + n·BCE(f, 1 − label of `avoided`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// The objective to raise.
    pub gained: String,
    /// The objective to lower.
    pub avoided: String,
    /// m and n, each at least 1: the number of copies of every row with either label.
    pub copies: [u32; 2],
}

impl Combined {
    /// The objective name of the model, such as `engagement 2 : 1 not engagement_bait`.
    #[must_use]
    pub fn name(&self) -> String {
        let [m, n] = self.copies;
        format!("{} {m} : {n} not {}", self.gained, self.avoided)
    }
}

/// Trains one model on the combined loss, with the steps of [`train()`](crate::train()): the same
/// folds, penalties and calibration rows. Encoders that use the label are fitted to the share of
/// positive copies. A label rule with a training median uses the median of the training rows, for
/// each objective separately.
///
/// # Errors
/// As [`train()`](crate::train()); [`TrainerError::Option`] if a number of copies is 0;
/// [`TrainerError::NotTogether`] if the rows or the features of the two objectives differ, or if
/// one of them samples its negatives.
pub fn train_combined(
    dataset: &Dataset,
    combined: &Combined,
    options: &TrainOptions,
    out: &Path,
    report: &mut dyn FnMut(Progress),
) -> Result<Artefact, TrainerError> {
    options.check()?;
    if combined.copies.contains(&0) {
        return Err(TrainerError::Option {
            name: "copies",
            value: format!("{:?}", combined.copies),
            expected: "at least 1 each; for a model of one objective use `train`",
        });
    }
    begin(report, Stage::Read);
    let mut loaded = dataset.load(&combined.gained)?;
    let avoided = dataset.load(&combined.avoided)?;
    check_same_rows(&loaded, &avoided)?;
    let training = loaded.part(Part::Train);
    let gained = loaded.labels(&training)?.values;
    let not_avoided: Vec<bool> = avoided
        .labels(&training)?
        .values
        .iter()
        .map(|b| !b)
        .collect();
    drop(avoided);
    loaded.objective = combined.name();

    let [m, n] = combined.copies;
    let targets = Targets::combined([&gained, &not_avoided], [m, n]);
    let all: Vec<usize> = (0..gained.len()).collect();
    let labels = TrainingLabels {
        positives: targets.shares(&all).iter().sum(),
        targets: &targets,
        label: format!(
            "{m} copies with {} ({}), {n} with not {} ({})",
            combined.gained,
            dataset.label_rule(&combined.gained)?,
            combined.avoided,
            dataset.label_rule(&combined.avoided)?
        ),
        threshold: None,
    };
    train_on(dataset, &loaded, &labels, options, out, report)
}

/// Checks that both labels are on the same rows, with the same features.
fn check_same_rows(gained: &Loaded, avoided: &Loaded) -> Result<(), TrainerError> {
    let not_together = |problem: String| {
        Err(TrainerError::NotTogether {
            gained: gained.objective.clone(),
            avoided: avoided.objective.clone(),
            problem,
        })
    };
    if gained.negatives_kept.is_some() || avoided.negatives_kept.is_some() {
        return not_together("one of them samples its negatives; remove `sample_negatives`".into());
    }
    if gained.rows.schema != avoided.rows.schema {
        return not_together("their features differ; give both the same features".into());
    }
    if gained.rows.numbers != avoided.rows.numbers || gained.parts != avoided.parts {
        let rows: std::collections::HashSet<u64> = gained.rows.numbers.iter().copied().collect();
        let both = avoided.rows.numbers.iter().filter(|row| rows.contains(row));
        return not_together(format!(
            "{} rows have both labels, {} have the first, {} have the second; filter the dataset \
             (not one objective) to rows that have both, with not_missing",
            both.count(),
            gained.rows.len(),
            avoided.rows.len()
        ));
    }
    Ok(())
}
