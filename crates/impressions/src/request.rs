//! One checked request of a log, in the form that the benchmark uses. Its candidates are in
//! ascending order of their ids.

use counterweight_ranking::Density;

/// The parts of a log. Each request and each user is in one part only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Requests on which weights are chosen.
    Tune,
    /// Requests on which results are reported.
    Test,
}

/// The parts of a log to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parts {
    /// The tune part.
    Tune,
    /// The test part.
    Test,
    /// Both parts.
    All,
}

impl Parts {
    /// Whether these parts include `part`.
    pub fn contains(self, part: Part) -> bool {
        match self {
            Self::All => true,
            Self::Tune => part == Part::Tune,
            Self::Test => part == Part::Test,
        }
    }
}

impl From<Part> for Parts {
    fn from(part: Part) -> Self {
        match part {
            Part::Tune => Self::Tune,
            Part::Test => Self::Test,
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its id, or its number if it was grouped from rows without a request.
    pub id: String,
    /// Its part.
    pub part: Part,
    /// Hash of the user, or of the request if the log has no users: the unit of the bootstrap.
    pub unit: u64,
    /// Number of places of its page, at least 1. The page of a request with fewer candidates shows
    /// all of them.
    pub k: usize,
    /// Ids of the n candidates, ascending by bytes, without duplicates. If the log has no ids, a
    /// hash of the row's number.
    pub ids: Vec<String>,
    /// One column of n probabilities per objective, each in [0, 1]; empty for an objective without
    /// a source.
    pub probabilities: Vec<Vec<f64>>,
    /// One column of n outcomes per objective, each in [0, 1], or NaN if unknown.
    pub realised: Vec<Vec<f64>>,
    /// What was shown and how it was randomised, if the log contains both.
    pub logged: Option<Logged>,
}

/// What the logging policy showed, and its randomisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Candidate index and position of each shown candidate, both from 0, ascending by position.
    pub shown: Vec<(usize, usize)>,
    /// How the page was randomised.
    pub exploration: Exploration,
}

/// How the logging policy explored.
#[derive(Debug, Clone, PartialEq)]
pub enum Exploration {
    /// λ was drawn for this request. The propensities follow from the breakpoints of the logged
    /// probabilities.
    Lambda {
        /// The density of λ, with its range.
        density: Density,
        /// For each candidate, the logged score without the swept objective, in units of the first
        /// weight.
        fixed: Vec<f64>,
        /// For each candidate, the logged probability of the swept objective.
        swept: Vec<f64>,
    },
    /// For each candidate of `shown`, the logged probability that the policy showed it at its
    /// position.
    Propensities(Vec<f64>),
}
