//! The input and the result of fitting an encoder.

use counterweight_model::encoder::Encoder;

/// Targets and folds of the training rows.
pub(crate) struct TrainingRows<'t> {
    /// The target of each row: 1 for a positive label and 0 for a negative one, or the share of the
    /// row's copies that are positive.
    pub(crate) targets: &'t [f64],
    /// Fold of each row, below `folds`.
    pub(crate) fold_of: &'t [usize],
    pub(crate) folds: usize,
}

impl TrainingRows<'_> {
    /// The rows to which the value at `index` belongs: its own row, or all rows if there is only
    /// one value.
    pub(crate) fn rows_of(&self, index: usize, values: usize) -> std::ops::Range<usize> {
        if values == 1 {
            0..self.targets.len()
        } else {
            index..index + 1
        }
    }
}

/// The fitted encoder of one feature.
pub(crate) struct FittedEncoder {
    pub(crate) encoder: Encoder,
    /// The values of the training rows before standardising, each computed without the rows of its
    /// fold. Set if the encoder uses the label, even if the feature was then left out.
    pub(crate) out_of_fold: Option<Vec<f64>>,
    /// What was left out, and why; one line each.
    pub(crate) notes: Vec<String>,
}

impl FittedEncoder {
    /// An encoder that does not use the label, or whose out-of-fold values are added later.
    pub(crate) fn plain(encoder: Encoder) -> Self {
        Self {
            encoder,
            out_of_fold: None,
            notes: Vec::new(),
        }
    }

    /// The encoder of a feature that is left out, with the reason.
    pub(crate) fn nothing(why: &str) -> Self {
        Self {
            encoder: Encoder::Nothing,
            out_of_fold: None,
            notes: vec![format!("{why} in training, left out")],
        }
    }
}
