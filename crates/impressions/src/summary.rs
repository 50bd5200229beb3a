//! What was read from a log, and what was left out.

use serde::Serialize;

use crate::request::Request;

/// Counts of what was read and left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows that pass the filters.
    pub rows: u64,
    /// Requests of the tune part.
    pub tune: u64,
    /// Requests of the test part.
    pub test: u64,
    /// Users of the tune part, or requests if the log has no users.
    pub tune_users: u64,
    /// Users of the test part.
    pub test_users: u64,
    /// Requests on which a model was trained.
    pub training: u64,
    /// Requests whose rows are in several parts, or in none.
    pub divided: u64,
    /// Requests that were ranked without one of the objectives.
    pub incomplete: u64,
    /// Rows that remained when rows were grouped into requests.
    pub undealt: u64,
    /// Candidates in the requests of the parts that were read.
    pub candidates: u64,
    /// By objective, the number of these candidates whose outcome is known.
    pub known: Vec<u64>,
    /// Labels that were dropped because their candidates were not shown.
    pub unshown_labels: u64,
    /// Logged probabilities that were clamped because the rounding of 32-bit floats put them
    /// slightly outside [0, 1].
    pub clamped: u64,
    /// Requests whose λ was randomised or whose propensities were logged.
    pub explored: u64,
    /// Number of places of the page.
    pub k: usize,
    /// What a reader should know about how the log was recorded.
    pub notes: Vec<String>,
}

impl Summary {
    /// Counts a request that is passed on.
    pub(crate) fn count(&mut self, request: &Request) {
        self.candidates += request.ids.len() as u64;
        self.explored += u64::from(request.logged.is_some());
        for (known, outcomes) in self.known.iter_mut().zip(&request.realised) {
            *known += outcomes.iter().filter(|outcome| !outcome.is_nan()).count() as u64;
        }
    }

    /// Why no request remains.
    pub(crate) fn nothing_left(&self) -> String {
        format!(
            "none of the {} rows gives a request: a model was trained on {} requests, {} are \
             divided between parts, {} were ranked without an objective; check the split, the \
             filters and the request column",
            self.rows, self.training, self.divided, self.incomplete
        )
    }
}
