//! The input and the result of the fit of every encoder.

use counterweight_model::encoder::Encoder;

/// Targets and folds of the training rows.
pub(crate) struct TrainingRows<'t> {
    /// Per row 1 for a positive label and 0 for a negative one, or the share of its copies that are
    /// positive.
    pub(crate) targets: &'t [f64],
    /// Fold of each row, below `folds`.
    pub(crate) fold_of: &'t [usize],
    pub(crate) folds: usize,
}

impl TrainingRows<'_> {
    /// Rows that a value belongs to: its own, or all rows if there is only one value.
    pub(crate) fn rows_of(&self, at: usize, values: usize) -> std::ops::Range<usize> {
        if values == 1 {
            0..self.targets.len()
        } else {
            at..at + 1
        }
    }
}

/// The fitted encoder of one feature.
pub(crate) struct FittedEncoder {
    pub(crate) encoder: Encoder,
    /// Set if the label was used, even if the feature was left out then: the values of the training
    /// rows before standardising, each computed without the rows of its fold.
    pub(crate) out_of_fold: Option<Vec<f64>>,
    /// What was left out and why, one line each.
    pub(crate) notes: Vec<String>,
}

impl FittedEncoder {
    pub(crate) fn plain(encoder: Encoder) -> Self {
        Self {
            encoder,
            out_of_fold: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn nothing(why: &str) -> Self {
        Self {
            encoder: Encoder::Nothing,
            out_of_fold: None,
            notes: vec![format!("{why} in training, left out")],
        }
    }
}
