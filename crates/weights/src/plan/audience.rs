//! What a writer wants to become of a profile's segments, experiments and exploration.

use crate::audience::{Arm, Exploration, Segment};

/// What is to become of the audience of a profile; none leaves what is there.
#[derive(Debug, Clone, Default)]
pub struct AudienceChange {
    /// The segments, in the order in which they are tried.
    pub segments: Option<Vec<Segment>>,
    /// The experiments, in the order in which they are tried.
    pub experiments: Option<Vec<ExperimentChange>>,
    /// Whether and how λ is drawn; none within ends it.
    pub exploration: Option<Option<Exploration>>,
}

/// An experiment as a writer wants it.
#[derive(Debug, Clone)]
pub struct ExperimentChange {
    /// Name.
    pub name: String,
    /// None keeps the salt of an experiment that is there.
    pub salt: Option<String>,
    /// The salt of an experiment that is new.
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
