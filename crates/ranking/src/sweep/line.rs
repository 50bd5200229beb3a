//! A candidate's score as a line in the swept weight, and where another line overtakes it.

/// A candidate's score as the line `fixed − x·swept`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) fixed: f64,
    pub(super) swept: f64,
    pub(super) candidate: u32,
}

impl Line {
    /// Where `other`, now below, overtakes this line; ∞ where it never does.
    pub(super) fn overtaken_by(&self, other: &Line, now: f64) -> f64 {
        if other.swept < self.swept {
            // Whether they cross is decided by comparing slopes, which is exact. The place is
            // rounded and may come out before the walk, so it is kept at `now`: steps never go
            // backwards.
            now.max((self.fixed - other.fixed) / (self.swept - other.swept))
        } else if other.swept == self.swept
            && (other.fixed > self.fixed
                || (other.fixed == self.fixed && other.candidate < self.candidate))
        {
            // Parallel lines never cross, but can come to stand the wrong way round where both pass
            // a third line in one point. Then the better one goes up at once, and stays: otherwise
            // two of them could swap for ever.
            now
        } else {
            f64::INFINITY
        }
    }
}
