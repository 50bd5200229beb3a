//! Checks for both classes before a fit, so that the error can name the rows that lack a class and
//! say what to do.

use crate::error::TrainerError;

/// Checks that the rows outside each fold, which one fit of the cross-validation uses, have both
/// classes.
///
/// `labels` and `folds` have one entry per row.
pub(crate) fn check_folds(
    objective: &str,
    labels: &[bool],
    folds: &[u32],
) -> Result<(), TrainerError> {
    let count = folds.iter().max().map_or(0, |&last| last as usize + 1);
    // Number of rows of each class, in all folds and by fold.
    let (mut all, mut by_fold) = ([0; 2], vec![[0; 2]; count]);
    for (&label, &fold) in labels.iter().zip(folds) {
        all[usize::from(label)] += 1;
        by_fold[fold as usize][usize::from(label)] += 1;
    }
    for (fold, rows) in by_fold.into_iter().enumerate() {
        for class in [true, false] {
            let (own, other) = (usize::from(class), usize::from(!class));
            if all[own] > 0 && rows[own] == all[own] {
                return Err(TrainerError::OneClassOutsideFold {
                    objective: objective.to_owned(),
                    fold,
                    folds: count,
                    class: class_name(class),
                    rows: all[own],
                    others: all[other] - rows[other],
                    other_class: class_name(!class),
                });
            }
        }
    }
    Ok(())
}

/// Checks that the `calibrate` part, whose labels are `labels`, has both classes.
pub(crate) fn check_calibrate_part(objective: &str, labels: &[bool]) -> Result<(), TrainerError> {
    match labels.iter().filter(|&&label| label).count() {
        positives if positives > 0 && positives < labels.len() => Ok(()),
        positives => Err(TrainerError::OneClassToCalibrate {
            objective: objective.to_owned(),
            rows: labels.len(),
            class: class_name(positives > 0),
        }),
    }
}

fn class_name(class: bool) -> &'static str {
    if class { "positive" } else { "negative" }
}
