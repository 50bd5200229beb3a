//! A request as it was ranked, to be written into a log.

use counterweight_ranking::Density;

/// A request as it was ranked, with all of its candidates.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedRequest {
    /// Its id. A log has each id once.
    pub id: String,
    /// The user, where known.
    pub user: Option<String>,
    /// When it was ranked, in milliseconds since 1970.
    pub time_ms: i64,
    /// How many were to be shown at most; at least 1.
    pub k: u32,
    /// The profile that applied.
    pub profile: String,
    /// The revision that set its weights.
    pub revision: u64,
    /// The segment that applied.
    pub segment: Option<String>,
    /// The experiment and arm that applied, as `experiment/arm`.
    pub arm: Option<String>,
    /// The λ that was drawn.
    pub draw: Option<DrawnLambda>,
    /// The n candidates, each once.
    pub candidates: Vec<String>,
    /// Those that were shown, as positions in `candidates`, best first.
    pub page: Vec<usize>,
    /// What was combined. An objective of the log that is not here was ranked without.
    pub objectives: Vec<RankedObjective>,
}

/// One objective of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedObjective {
    /// Its name; one of those that the log was made for.
    pub name: String,
    /// Its effective weight.
    pub weight: f64,
    /// Version of the model that answered.
    pub model: Option<String>,
    /// Name and version of what calibrated it.
    pub calibrator: Option<String>,
    /// The n doubles that entered the sum, in [0, 1].
    pub probabilities: Vec<f64>,
    /// The n answers of the model before a calibrator on top of it; empty without a calibrator.
    pub raw: Vec<f64>,
}

/// The λ of one request and what it was drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnLambda {
    /// λ.
    pub lambda: f64,
    /// Its density on its range.
    pub density: Density,
    /// Seed of this draw, below 2^63.
    pub seed: u64,
}
