//! Fits the encoder of every feature, and encodes the training rows so that no row is encoded with
//! its own label.

mod category;
mod hashed;
mod list;
mod number;
mod odds;
mod rows;
mod scale;
mod text;
mod vector;

use std::collections::HashMap;

use counterweight_model::{
    Batch, Encoded, Encoders, FeatureEncoder, Kind, ModelError, Schema, Values, feature_values,
};

use crate::error::TrainerError;
use rows::{FittedEncoder, TrainingRows};

/// Memory and time grow with the number of folds. If there are more than this, whole folds are
/// merged.
const MAX_FOLDS: usize = 10;

/// Fits one encoder per feature on the training rows, and encodes these rows with all values as
/// logged.
///
/// `labels` and `folds` have one entry per row. The encoders that are returned are fitted on all
/// rows. The encoded training rows differ: an encoder that uses the label encodes a row without the
/// rows of its fold, so that no row is encoded with its own label. Rows of one group must have the
/// same fold. Fold ids are arbitrary numbers; more than ten folds are merged into ten.
///
/// # Errors
/// [`TrainerError`] if the lengths differ, if there are no rows, if all labels are equal, if an
/// encoder uses the label but there is only one fold, if the column of an input is absent that is
/// not optional, or if the batch was checked against another schema.
pub fn fit_encoders(
    schema: &Schema,
    batch: &Batch<'_>,
    labels: &[bool],
    folds: &[u32],
) -> Result<(Encoders, Encoded), TrainerError> {
    let targets: Vec<f64> = labels
        .iter()
        .map(|label| f64::from(u8::from(*label)))
        .collect();
    fit_encoders_to_shares(schema, batch, &targets, folds)
}

/// As [`fit_encoders`], for rows with several copies that have their own labels, as in a model of a
/// weighted sum of two losses. `targets` has the share of positive copies of each row, from 0 to 1.
/// A row counts once, however many copies it has, so that a rare category stays rare.
///
/// # Errors
/// As [`fit_encoders`], and if a target is outside 0 to 1.
pub fn fit_encoders_to_shares(
    schema: &Schema,
    batch: &Batch<'_>,
    targets: &[f64],
    folds: &[u32],
) -> Result<(Encoders, Encoded), TrainerError> {
    check(schema, batch, targets, folds)?;
    let (fold_of, folds) = number_folds(folds);
    let training = TrainingRows {
        targets,
        fold_of: &fold_of,
        folds,
    };
    let (mut fitted, mut out_of_fold) = (vec![], vec![]);
    for feature in schema.features() {
        let kind = schema.feature_kind(feature)?;
        let values = feature_values(schema, feature, batch)?;
        let found = fit(&values, kind, &training);
        if found.out_of_fold.is_some() && folds < 2 {
            let problem = format!(
                "feature `{}` is encoded with the label, which needs at least 2 folds; use more \
                 folds",
                feature.name
            );
            return Err(TrainerError::Encoders { problem });
        }
        out_of_fold.push(found.out_of_fold);
        fitted.push(FeatureEncoder {
            encoder: found.encoder,
            notes: found.notes,
        });
    }
    let encoders = Encoders::new(schema.clone(), fitted)?;
    let encoded = encoders.encode_out_of_fold(batch, out_of_fold)?;
    Ok((encoders, encoded))
}

/// Fits the encoder that fits the kind of the values.
fn fit(values: &Values<'_>, kind: Kind, training: &TrainingRows<'_>) -> FittedEncoder {
    match values {
        Values::Numbers(values) if kind == Kind::Boolean => number::fit_boolean(values),
        Values::Numbers(values) => number::fit_numeric(values),
        Values::Categories(values) => category::fit(values, training),
        Values::Lists(values) => list::fit(values, training),
        Values::Vectors { dim, values } => vector::fit(*dim, values),
        Values::Texts(values) => text::fit(values, training),
    }
}

fn check(
    schema: &Schema,
    batch: &Batch<'_>,
    targets: &[f64],
    folds: &[u32],
) -> Result<(), TrainerError> {
    let rows = batch.rows();
    for (what, found) in [("labels", targets.len()), ("folds", folds.len())] {
        if found != rows {
            return Err(TrainerError::Length {
                what,
                expected: rows,
                found,
            });
        }
    }
    let all = |value: f64| targets.iter().all(|target| *target == value);
    let outside = targets.iter().find(|target| !(0.0..=1.0).contains(*target));
    let problem = match outside {
        _ if rows == 0 => "there are no rows to train on".to_owned(),
        Some(target) => format!("a target is {target}; use a share from 0 to 1"),
        None if all(0.0) => format!("all {rows} labels are negative; a model needs both classes"),
        None if all(1.0) => format!("all {rows} labels are positive; a model needs both classes"),
        None => return Ok(absent_in_training(schema, batch)?),
    };
    Err(TrainerError::Encoders { problem })
}

/// Fails if a required input is absent. An input with a served value may be absent in serving, but
/// not in training.
fn absent_in_training(schema: &Schema, batch: &Batch<'_>) -> Result<(), ModelError> {
    for (input, column) in schema.inputs().iter().zip(batch.columns()) {
        if column.is_none() && !input.optional {
            return Err(ModelError::MissingInput {
                input: input.name.clone(),
            });
        }
    }
    Ok(())
}

/// Numbers the fold ids from 0 in the order of their first occurrence; returns the number of each
/// row, and the number of folds.
fn number_folds(folds: &[u32]) -> (Vec<usize>, usize) {
    let mut numbers = HashMap::new();
    let numbered: Vec<usize> = folds
        .iter()
        .map(|fold| {
            let next = numbers.len();
            *numbers.entry(*fold).or_insert(next) % MAX_FOLDS
        })
        .collect();
    (numbered, numbers.len().min(MAX_FOLDS))
}
