//! One model of a weighted sum of two losses: what a team trains that does not keep its objectives apart.

use std::path::Path;

use counterweight_dataset::{Dataset, Loaded, Part};
use counterweight_model::Artefact;

use crate::progress::{Progress, Stage, begin};
use crate::targets::Targets;
use crate::train::{Wanted, check, train_on};
use crate::{TrainOptions, TrainerError};

/// The loss m·BCE(f, label of `gained`) + n·BCE(f, 1 − label of `avoided`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// The objective that is wanted.
    pub gained: String,
    /// The objective that is not.
    pub avoided: String,
    /// m and n, each at least 1: rows are copied as often.
    pub copies: [u32; 2],
}

impl Combined {
    /// The name that the model has as an objective, such as `engagement 2 : 1 not engagement_bait`.
    #[must_use]
    pub fn name(&self) -> String {
        let [m, n] = self.copies;
        format!("{} {m} : {n} not {}", self.gained, self.avoided)
    }
}

/// Trains one model on the combined loss, by the very steps of [`train()`](crate::train()): the same folds, penalties and calibration
/// rows, encoders that use the label fitted to the share of positive copies. Labels above a training median take the median of each
/// objective's own training rows.
///
/// # Errors
/// As [`train()`](crate::train()); [`TrainerError::Option`] for copies of 0; [`TrainerError::NotTogether`] when the two objectives have
/// other rows or other features.
pub fn train_combined(
    dataset: &Dataset,
    combined: &Combined,
    options: &TrainOptions,
    out: &Path,
    report: &mut dyn FnMut(Progress),
) -> Result<Artefact, TrainerError> {
    check(options)?;
    if combined.copies.contains(&0) {
        return Err(TrainerError::Option {
            name: "copies",
            value: format!("{:?}", combined.copies),
            expected: "at least 1 each; the model of one objective alone is `train`",
        });
    }
    begin(report, Stage::Read);
    let mut loaded = dataset.load(&combined.gained)?;
    let avoided = dataset.load(&combined.avoided)?;
    together(&loaded, &avoided)?;
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
    let wanted = Wanted {
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
    train_on(dataset, &loaded, &wanted, options, out, report)
}

/// Both labels stand on the same rows, which have the same features.
fn together(gained: &Loaded, avoided: &Loaded) -> Result<(), TrainerError> {
    let refuse = |problem: String| {
        Err(TrainerError::NotTogether {
            gained: gained.objective.clone(),
            avoided: avoided.objective.clone(),
            problem,
        })
    };
    if gained.negatives_kept.is_some() || avoided.negatives_kept.is_some() {
        return refuse("one of them samples its negatives; leave `sample_negatives` out".into());
    }
    if gained.rows.schema != avoided.rows.schema {
        return refuse("they have other features; give both the same".into());
    }
    if gained.rows.numbers != avoided.rows.numbers || gained.parts != avoided.parts {
        let rows: std::collections::HashSet<u64> = gained.rows.numbers.iter().copied().collect();
        let both = avoided.rows.numbers.iter().filter(|row| rows.contains(row));
        return refuse(format!(
            "{} rows have a label of both, {} of the first, {} of the second; filter the dataset (not one objective) to rows that have both, with not_missing",
            both.count(),
            gained.rows.len(),
            avoided.rows.len()
        ));
    }
    Ok(())
}
