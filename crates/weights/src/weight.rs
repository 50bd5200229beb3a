//! The weight of one objective, and what it was tuned for.

use serde::{Deserialize, Serialize};

/// The weight of one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveWeight {
    /// The objective's name.
    pub objective: String,
    /// Its weight, finite.
    pub weight: f64,
}

/// The model and calibrators of one objective that a weight was tuned for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelBinding {
    /// The objective's name.
    pub objective: String,
    /// Empty for a probability column of the request.
    pub model_version: String,
    /// Names and versions, comma separated: the model's own, then the combiner's; empty for none.
    pub calibrator: String,
}
