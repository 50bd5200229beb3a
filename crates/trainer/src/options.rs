//! What can be chosen about a training, and its check.

use crate::calibration::Calibration;
use crate::error::TrainerError;

/// Penalties that are tried if none is given. A penalty is the belief that a coefficient of a
/// standardised column is normal around 0 with variance `1 / alpha`, so the useful range does not
/// grow with the number of rows.
pub const DEFAULT_ALPHAS: [f64; 7] = [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0];

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Folds of the cross-validation on the training part and of the encoders that use the label;
    /// at least 2. With ten, the values encoded out of fold are closer to the served ones than with
    /// five, for about 1.6 times the work.
    pub folds: usize,
    /// Penalties to choose from, each finite and above zero; a single value is used as it is. See
    /// [`DEFAULT_ALPHAS`].
    pub alphas: Vec<f64>,
    /// How to calibrate.
    pub calibration: Calibration,
    /// Seed of the folds, and of the sample on which a fit of many rows starts.
    pub seed: u64,
    /// The command that trains the model again, which is written into the artefact.
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
        let refuse = |name, value: String, expected| {
            Err(TrainerError::Option {
                name,
                value,
                expected,
            })
        };
        if self.folds < 2 {
            return refuse("folds", self.folds.to_string(), "at least 2");
        }
        match self
            .alphas
            .iter()
            .find(|alpha| !(alpha.is_finite() && **alpha > 0.0))
        {
            Some(alpha) => refuse("alpha", alpha.to_string(), "finite and above zero"),
            None if self.alphas.is_empty() => refuse("alpha", "empty".into(), "at least one value"),
            None => Ok(()),
        }
    }
}
