//! Where the target shows what was shown: a logged slate as changes along the axis of the weight.

#[derive(Debug)]
pub(super) struct Slate {
    pub(super) range: (f64, f64),
    /// Its places and its changes end before these.
    pub(super) places_end: usize,
    pub(super) changes_end: usize,
    pub(super) has_model: bool,
}

#[derive(Debug)]
pub(super) struct Place {
    /// Which of the slate, from 0.
    pub(super) place: u32,
    /// 1 / propensity.
    pub(super) weight: f64,
    pub(super) reward: f64,
    /// What the model expects of it.
    pub(super) expected: f64,
}

/// What is different from `x` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) x: f64,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// Whether the target shows what was shown at this place (of the collected places).
    Match(usize, bool),
    /// What the model expects of the target's page, for this slate.
    Expects(usize, f64),
}
