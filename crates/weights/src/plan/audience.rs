//! A requested change of a profile's segments, experiments and exploration.

use crate::audience::{Arm, Exploration, Segment};

/// The requested audience of a profile; none leaves a part unchanged.
#[derive(Debug, Clone, Default)]
pub struct AudienceChange {
    /// The segments, in the order in which they are tried.
    pub segments: Option<Vec<Segment>>,
    /// The experiments, in the order in which they are tried.
    pub experiments: Option<Vec<ExperimentChange>>,
    /// How λ is drawn; an inner none ends exploration.
    pub exploration: Option<Option<Exploration>>,
}

/// A requested experiment.
#[derive(Debug, Clone)]
pub struct ExperimentChange {
    /// Name.
    pub name: String,
    /// None keeps the salt of an existing experiment.
    pub salt: Option<String>,
    /// The salt for a new experiment.
    pub new_salt: String,
    /// Only requests of this segment; none takes all.
    pub segment: Option<String>,
    /// Each with how many buckets it has.
    pub arms: Vec<(Arm, u32)>,
}

impl AudienceChange {
    /// Whether nothing is changed.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_none() && self.experiments.is_none() && self.exploration.is_none()
    }
}
