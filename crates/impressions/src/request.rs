//! One request of a log as the benchmark sees it: checked, its candidates in ascending order of
//! their ids.

use counterweight_ranking::Density;

/// The parts of a log. No request and no user is in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Weights are chosen here.
    Tune,
    /// Figures are reported here.
    Test,
}

/// Which parts of a log are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parts {
    /// The tune part.
    Tune,
    /// The test part.
    Test,
    /// Both.
    All,
}

impl Parts {
    /// Whether a part is among them.
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
    /// Its id; of a dealt request, its number.
    pub id: String,
    /// Its part.
    pub part: Part,
    /// Hash of the user, of the request where the log names no users: what the bootstrap draws.
    pub unit: u64,
    /// Places of its page, at least 1; a request with fewer candidates has as many.
    pub k: usize,
    /// Ids of the n candidates, ascending by bytes, each once. Where the log has none: a hash of
    /// the row's number.
    pub ids: Vec<String>,
    /// One column of n probabilities per objective, each in [0, 1]; empty for an objective that has
    /// no source.
    pub probabilities: Vec<Vec<f64>>,
    /// One column of n outcomes per objective, each in [0, 1] or NaN where it is not known.
    pub realised: Vec<Vec<f64>>,
    /// What was shown and how it was drawn, where the log says so.
    pub logged: Option<Logged>,
}

/// What the logged policy showed, and its randomisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// The candidates shown with their positions, from 0, ascending.
    pub shown: Vec<(usize, usize)>,
    /// How they were drawn.
    pub exploration: Exploration,
}

/// How a logged policy explored.
#[derive(Debug, Clone, PartialEq)]
pub enum Exploration {
    /// λ was drawn for this request; the propensities follow from the breakpoints of the logged
    /// probabilities.
    Lambda {
        /// Its density over its range.
        density: Density,
        /// For each candidate the logged score but for the swept objective, in units of the first
        /// weight.
        fixed: Vec<f64>,
        /// For each candidate the logged probability of the swept objective.
        swept: Vec<f64>,
    },
    /// The log has the probability that the policy showed each candidate of `shown` at its
    /// position.
    Propensities(Vec<f64>),
}
