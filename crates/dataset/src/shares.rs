//! The share of the rows in each part, if the description states it.

use crate::{Dataset, Part, SplitBy};

impl Dataset {
    /// The share of a part; 0 if the split does not use the part. `None` if the dataset is not
    /// split or a column names the parts; then the shares are only known from the rows.
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
