//! What a report needs of single requests, gathered while a log is read: how well its probabilities are calibrated, and requests to
//! show one of.

mod calibration;
mod example;

pub use calibration::{Bin, Calibrated, Calibrating};
pub use example::{Candidates, Example, ExampleRow};

use counterweight_impressions::Request;

/// What is gathered for a report while the log is read.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// Of the probabilities.
    pub calibrating: Calibrating,
    /// Requests to show one of.
    pub examples: Candidates,
}

impl Gathered {
    /// Adds a batch of requests.
    pub fn add(&mut self, batch: &[Request]) {
        self.calibrating.add(batch);
        self.examples.add(batch);
    }
}
