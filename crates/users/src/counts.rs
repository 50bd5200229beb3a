//! What came of a play.

use std::collections::BTreeMap;

use counterweight_proto::code_name;
use tonic::Status;

/// Different problems that are kept; the counts have all.
const MOST_PROBLEMS: usize = 20;

/// What came of a play.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Visits whose request was ranked.
    pub ranked: u64,
    /// Visits whose request was refused or failed. Their users saw nothing.
    pub not_ranked: u64,
    /// Candidates that were shown.
    pub shown: u64,
    /// Labels that are positive, in the order of the objectives.
    pub positive: [u64; 2],
    /// Events that came about.
    pub events: u64,
    /// Of these, events that happened after the window of 24 hours.
    pub after_window: u64,
    /// Of these, events that are sent twice.
    pub repeated: u64,
    /// Copies of events that the server acknowledged.
    pub accepted: u64,
    /// Copies that the server refused.
    pub refused: u64,
    /// Copies of which nobody knows whether they are kept: their call failed, and failed again.
    pub unknown: u64,
    /// Calls that failed and were made again.
    pub retries: u64,
    /// What was wrong, and how often.
    pub problems: BTreeMap<String, u64>,
}

impl Counts {
    /// Calls and events that did not do what they should.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.not_ranked + self.refused + self.unknown
    }

    pub(crate) fn problem(&mut self, problem: String) {
        if let Some(count) = self.problems.get_mut(&problem) {
            *count += 1;
        } else if self.problems.len() < MOST_PROBLEMS {
            self.problems.insert(problem, 1);
        }
    }

    pub(crate) fn failed(&mut self, method: &str, status: &Status) {
        let (code, message) = (code_name(status.code()), status.message());
        self.problem(format!("{method}: {code}: {message}"));
    }
}
