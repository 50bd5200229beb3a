//! The share of the rows that a part gets, as far as the description says it.

use crate::{Dataset, Part, SplitBy};

impl Dataset {
    /// The share of a part; 0 when the split leaves it out. None when the dataset is not split, and
    /// when a column names the parts: then only the rows show the shares.
    pub fn share(&self, part: Part) -> Option<f64> {
        let split = self.spec.split.as_ref()?;
        (split.by != SplitBy::Column).then_some(match part {
            Part::Train => split.train.unwrap_or(0.0),
            Part::Calibrate => split.calibrate,
            Part::Tune => split.tune,
            Part::Test => split.test,
        })
    }
}
