//! A ranked request, to be written into a log.

use counterweight_ranking::Density;

/// A ranked request with all of its candidates.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedRequest {
    /// Its id. A log has each id once.
    pub id: String,
    /// The user, if known.
    pub user: Option<String>,
    /// The time when it was ranked, in milliseconds since 1970.
    pub time_ms: i64,
    /// Maximum number of candidates to show; at least 1.
    pub k: u32,
    /// The profile that applied.
    pub profile: String,
    /// The revision that set its weights.
    pub revision: u64,
    /// The segment that applied.
    pub segment: Option<String>,
    /// The experiment and arm that applied, as `experiment/arm`.
    pub arm: Option<String>,
    /// The λ that was drawn, if the request explored.
    pub draw: Option<DrawnLambda>,
    /// The ids of the n candidates, without duplicates.
    pub candidates: Vec<String>,
    /// The shown candidates as indices into `candidates`, best first.
    pub page: Vec<usize>,
    /// The objectives that were combined. An objective of the log that is not listed was not used.
    pub objectives: Vec<RankedObjective>,
}

/// One objective of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedObjective {
    /// Its name, which is among the objectives of the log.
    pub name: String,
    /// Its effective weight.
    pub weight: f64,
    /// Version of the model that answered.
    pub model: Option<String>,
    /// Name and version of its calibrator.
    pub calibrator: Option<String>,
    /// The n probabilities in the weighted sum, in [0, 1].
    pub probabilities: Vec<f64>,
    /// The n answers of the model before an additional calibrator; empty without a calibrator.
    pub raw: Vec<f64>,
}

/// The λ of one request and its distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnLambda {
    /// λ.
    pub lambda: f64,
    /// The density of λ, with its range.
    pub density: Density,
    /// Seed of this draw, below 2^63.
    pub seed: u64,
}
