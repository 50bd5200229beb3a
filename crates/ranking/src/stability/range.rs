//! A range of one weight.

/// Closed; ends may be infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Range {
    pub(super) const ALL: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };

    /// Whether w is in the range, ends included.
    pub fn contains(self, w: f64) -> bool {
        self.low <= w && w <= self.high
    }
}
