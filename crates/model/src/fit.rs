//! Fits the encoders of every feature, and encodes the training rows without letting a label see itself.

use std::collections::HashMap;

use crate::encoder::{self, Emitter, Encoder, Scratch, Training};
use crate::encoders::FeatureEncoder;
use crate::expression::{Mode, Values, evaluate};
use crate::sink::Matrix;
use crate::{Batch, Encoded, Encoders, ModelError, Schema};

/// Memory and time grow with the number of folds; more than this are merged, whole folds at a time.
const MAX_FOLDS: usize = 10;

/// Fits one encoder per feature on the training rows and encodes these rows, with all values as logged.
///
/// `labels` and `folds` have one entry per row. Encoders that use the label are fitted on all rows for later use; for the
/// training rows they are fitted without the row's fold, so that no row is encoded with the help of its own label.
/// Rows of one group must share a fold; fold ids are arbitrary numbers, and more than ten are merged into ten.
///
/// # Errors
/// Lengths that differ, no rows, labels of one class only, a single fold where an encoder uses the label, an absent column
/// that is not optional, or a batch of another schema.
pub fn fit_encoders(
    schema: &Schema,
    batch: &Batch<'_>,
    labels: &[bool],
    folds: &[u32],
) -> Result<(Encoders, Encoded), ModelError> {
    let targets: Vec<f64> = labels
        .iter()
        .map(|label| f64::from(u8::from(*label)))
        .collect();
    fit_encoders_to_shares(schema, batch, &targets, folds)
}

/// As [`fit_encoders`], for rows that stand for several copies with labels of their own, as one model of a weighted sum of two losses
/// has them: `targets` has the share of positive copies of each row, in [0, 1]. A row still counts as one row, so that what is rare
/// stays rare, however often it is copied.
///
/// # Errors
/// As [`fit_encoders`], and a target outside [0, 1].
pub fn fit_encoders_to_shares(
    schema: &Schema,
    batch: &Batch<'_>,
    targets: &[f64],
    folds: &[u32],
) -> Result<(Encoders, Encoded), ModelError> {
    check(schema, batch, targets, folds)?;
    let (fold_of, folds) = number_folds(folds);
    let training = Training {
        targets,
        fold_of: &fold_of,
        folds,
    };
    let (mut fitted, mut columns, mut scratch) = (vec![], vec![], Scratch::default());
    for feature in schema.features() {
        let kind = schema.feature_kind(feature)?;
        let values = evaluate(schema, &feature.of, batch, Mode::Logged);
        let encoder::Fitted {
            encoder,
            out_of_fold,
            notes,
        } = encoder::fit(&values, kind, &training);
        if out_of_fold.is_some() && folds < 2 {
            let problem = format!(
                "feature `{}` is encoded with the help of the label, which needs at least 2 folds",
                feature.name
            );
            return Err(ModelError::Fit { problem });
        }
        columns.extend(encode(
            &encoder,
            &values,
            out_of_fold,
            batch.rows(),
            &mut scratch,
        ));
        fitted.push(FeatureEncoder { encoder, notes });
    }
    let encoders = Encoders::new(schema.clone(), fitted)?;
    let names = encoders.column_names();
    Ok((
        encoders,
        Encoded {
            rows: batch.rows(),
            columns,
            names,
        },
    ))
}

fn encode(
    encoder: &Encoder,
    values: &Values<'_>,
    out_of_fold: Option<Vec<f64>>,
    rows: usize,
    scratch: &mut Scratch,
) -> Vec<Vec<f64>> {
    let mut matrix = Matrix::new(rows, encoder.width());
    let broadcast = out_of_fold.is_none() && values.len() == 1;
    let mut emitter = Emitter {
        sink: &mut matrix,
        first: 0,
        broadcast,
    };
    match out_of_fold {
        Some(raw) => encoder.apply_raw(&raw, &mut emitter, scratch),
        None => encoder.apply(values, &mut emitter, scratch),
    }
    matrix.columns
}

fn check(
    schema: &Schema,
    batch: &Batch<'_>,
    targets: &[f64],
    folds: &[u32],
) -> Result<(), ModelError> {
    batch.fits(schema)?;
    let rows = batch.rows();
    for (what, found) in [("labels", targets.len()), ("folds", folds.len())] {
        if found != rows {
            return Err(ModelError::Length {
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
        Some(target) => format!("a target is {target}; it is a share from 0 to 1"),
        None if all(0.0) => format!("all {rows} labels are negative; a model needs both classes"),
        None if all(1.0) => format!("all {rows} labels are positive; a model needs both classes"),
        None => return absent_in_training(schema, batch),
    };
    Err(ModelError::Fit { problem })
}

/// A served input may be absent in serving, but it cannot be learnt from a log without it.
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

/// Fold ids as small numbers in the order of their first occurrence, and how many there are.
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
