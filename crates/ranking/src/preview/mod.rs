//! What a change of weights would do to recent requests: each is ranked again under the old and the
//! new weights, exactly as it would be served.
//!
//! Scores are the very sums of [`crate::combine`] and orders those of [`crate::top_k`], so that a
//! preview equals a real ranking of the same requests, candidate by candidate. It runs on the
//! caller's thread alone, borrows what it reads, and keeps a few numbers per request.
//!
//! ```
//! use counterweight_ranking::preview::{Preview, Replay};
//!
//! let (engagement, bait) = ([0.5, 0.375], [0.75, 0.25]);
//! let mut preview = Preview::new(1, 2)?;
//! preview.push(&Replay {
//!     unit: 1,
//!     probabilities: &[&engagement, &bait],
//!     before: &[1.0, -0.2],
//!     after: &[1.0, -0.3],
//! })?;
//! let summary = preview.finish()?;
//! assert_eq!((summary.exposures[1].before.value, summary.exposures[1].after.value), (0.75, 0.25));
//! assert_eq!((summary.changed_set, summary.rank_correlation), (1.0, -1.0));
//! # Ok::<(), counterweight_ranking::RankingError>(())
//! ```

mod firmness;
mod moves;
mod orders;
mod summary;

use self::{firmness::Firmness, moves::Farthest, orders::Orders, summary::Totals};
use crate::{candidates, error::RankingError};

pub use moves::Move;
pub use summary::{Estimate, Exposure, Summary};

/// One request, under the weights that it had and those that it would get.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'a> {
    /// The sampling unit of the intervals: one number per user, and a unique number for a request
    /// without a user.
    pub unit: u64,
    /// Per objective, the probability of each of n candidates, in [0, 1], in ascending order of the
    /// candidates' ids: ties break on the position.
    pub probabilities: &'a [&'a [f64]],
    /// One finite weight per objective: before the change.
    pub before: &'a [f64],
    /// The same after it.
    pub after: &'a [f64],
}

/// Takes requests one after the other and adds up what changes. 8 · (1 + 2 · objectives) bytes are
/// kept of each.
#[derive(Debug)]
pub struct Preview {
    k: usize,
    objectives: usize,
    totals: Totals,
    moves: Farthest,
    before: Orders,
    after: Orders,
    firmness: Firmness,
}

impl Preview {
    /// A preview of pages of `k` places, each filled with the first min(k, n) of n candidates.
    ///
    /// # Errors
    /// [`RankingError::NoPlaces`] when `k` is 0.
    pub fn new(k: usize, objectives: usize) -> Result<Self, RankingError> {
        if k == 0 {
            return Err(RankingError::NoPlaces);
        }
        Ok(Self {
            k,
            objectives,
            totals: Totals::new(objectives),
            moves: Farthest::default(),
            before: Orders::default(),
            after: Orders::default(),
            firmness: Firmness::default(),
        })
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.totals.requests()
    }

    /// Adds one request. O(n log n), without allocation once the largest request has been seen.
    ///
    /// # Errors
    /// [`RankingError`] names the request by its number; it is not added.
    pub fn push(&mut self, replay: &Replay<'_>) -> Result<(), RankingError> {
        let request = self.requests();
        let columns = replay.probabilities;
        let n = candidates::check(request, columns, self.objectives)?;
        self.check_weights(
            request,
            "`before` (one weight per objective)",
            replay.before,
        )?;
        self.check_weights(request, "`after` (one weight per objective)", replay.after)?;
        let places = self.k.min(n);
        self.before.rank(replay.before, columns, n);
        self.after.score(replay.after, columns, n);
        let same = self.after.sorted_by(&self.before);
        if !same {
            self.after.sort();
        }
        let old = self.before.page(places);
        let new = if same { old } else { self.after.page(places) };
        self.totals.page_sums(replay.unit, columns, old, new);
        self.firmness
            .measure(replay.after, columns, self.after.scores(), new);
        self.totals.firm(self.firmness.within());
        if same {
            self.totals.same(n);
            return Ok(());
        }
        let (set, order) = (self.after.brings_in(&self.before, places), old != new);
        let discordant = self.after.discordant(&self.before);
        self.totals.changed(n, set, order, discordant);
        self.moves.add(request, [&self.before, &self.after], places);
        Ok(())
    }

    /// Everything so far.
    ///
    /// # Errors
    /// [`RankingError::NoRequests`].
    pub fn finish(self) -> Result<Summary, RankingError> {
        self.totals.finish(self.moves.into_sorted())
    }

    fn check_weights(
        &self,
        request: usize,
        what: &'static str,
        weights: &[f64],
    ) -> Result<(), RankingError> {
        if weights.len() != self.objectives {
            return Err(RankingError::Length {
                request,
                what,
                found: weights.len(),
                expected: self.objectives,
            });
        }
        match weights.iter().find(|weight| !weight.is_finite()) {
            Some(&value) => Err(RankingError::OutOfRange {
                what: "a weight of a replayed request",
                value,
                range: "finite",
            }),
            None => Ok(()),
        }
    }
}
