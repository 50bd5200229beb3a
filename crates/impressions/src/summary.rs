//! What was read of a log, and what was left out of it.

use serde::Serialize;

use crate::request::Request;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows that pass the filters.
    pub rows: u64,
    /// Requests of the tune part.
    pub tune: u64,
    /// Requests of the test part.
    pub test: u64,
    /// Users (requests, where there are none) of the tune part.
    pub tune_users: u64,
    /// Users of the test part.
    pub test_users: u64,
    /// Requests that a model was trained on.
    pub training: u64,
    /// Requests whose rows lie in several parts, or in none.
    pub divided: u64,
    /// Requests that were ranked without one of the objectives.
    pub incomplete: u64,
    /// Rows beyond the last whole request that was dealt.
    pub undealt: u64,
    /// Candidates in the requests of the parts that were read.
    pub candidates: u64,
    /// Of these, by objective, the candidates whose outcome is known.
    pub known: Vec<u64>,
    /// Labels of candidates that were not shown, which were dropped.
    pub unshown_labels: u64,
    /// Logged probabilities a little outside [0, 1], as the rounding of 32-bit floats leaves them,
    /// which were clamped.
    pub clamped: u64,
    /// Requests whose λ was randomised or whose propensities were logged.
    pub explored: u64,
    /// Places of the page.
    pub k: usize,
    /// What a reader should know of how the log was taken.
    pub notes: Vec<String>,
}

impl Summary {
    /// Counts a request that is handed on.
    pub(crate) fn count(&mut self, request: &Request) {
        self.candidates += request.ids.len() as u64;
        self.explored += u64::from(request.logged.is_some());
        for (known, outcomes) in self.known.iter_mut().zip(&request.realised) {
            *known += outcomes.iter().filter(|outcome| !outcome.is_nan()).count() as u64;
        }
    }

    /// Why no request is left.
    pub(crate) fn nothing_left(&self) -> String {
        format!(
            "no request is left of {} rows: {} requests that a model was trained on, {} divided between parts, {} ranked without an objective; check the split, the filters and the request column",
            self.rows, self.training, self.divided, self.incomplete
        )
    }
}
