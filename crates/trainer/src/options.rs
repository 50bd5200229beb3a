//! The options of training, and their check.

use crate::calibration::Calibration;
use crate::error::TrainerError;

/// The penalties that are tried by default. A penalty `alpha` corresponds to a normal prior with
/// mean 0 and variance `1 / alpha` for each coefficient of a standardised column, so the useful
/// range does not depend on the number of rows.
pub const DEFAULT_ALPHAS: [f64; 7] = [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0];

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// The number of folds, at least 2, of the cross-validation on the training part and of the
    /// encoders that use the label. With ten folds, the values that are encoded out of fold are
    /// closer to the served ones than with five, and training takes about 1.6 times as long.
    pub folds: usize,
    /// The penalties to choose from, each finite and above zero; a single one is used without a
    /// choice. See [`DEFAULT_ALPHAS`].
    pub alphas: Vec<f64>,
    /// How to calibrate.
    pub calibration: Calibration,
    /// Seed of the folds, and of the sample that is fitted first if there are many rows.
    pub seed: u64,
    /// The command that trains the model again; it is written into the artefact.
    pub command: String,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            folds: 10,
            alphas: DEFAULT_ALPHAS.to_vec(),
            calibration: Calibration::Platt,
            seed: 1,
            command: String::new(),
        }
    }
}

impl TrainOptions {
    /// Checks the range of every option.
    pub(crate) fn check(&self) -> Result<(), TrainerError> {
        let out_of_range = |name, value: String, expected| {
            Err(TrainerError::Option {
                name,
                value,
                expected,
            })
        };
        if self.folds < 2 {
            return out_of_range("folds", self.folds.to_string(), "at least 2");
        }
        match self
            .alphas
            .iter()
            .find(|alpha| !(alpha.is_finite() && **alpha > 0.0))
        {
            Some(alpha) => out_of_range("alpha", alpha.to_string(), "finite and above zero"),
            None if self.alphas.is_empty() => {
                out_of_range("alpha", "empty".into(), "at least one value")
            }
            None => Ok(()),
        }
    }
}
