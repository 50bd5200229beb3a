//! What a report needs of single requests, gathered while a log is read: how well its probabilities
//! are calibrated, and requests to show one of.

mod calibration;
mod example;

pub use calibration::{Calibration, CalibrationSums};
pub use example::{Example, ExampleRequests, ExampleRow};

use counterweight_impressions::Request;

/// What is gathered for a report while the log is read.
#[derive(Debug, Clone, Default)]
pub struct ReportInputs {
    /// Of the probabilities.
    pub calibration: CalibrationSums,
    /// Requests to show one of.
    pub examples: ExampleRequests,
}

impl ReportInputs {
    /// Adds a batch of requests.
    pub fn add(&mut self, batch: &[Request]) {
        self.calibration.add(batch);
        self.examples.add(batch);
    }
}
