//! Exact propensities of a ranking whose weight was drawn at random.
//!
//! The page is a function of the weight that changes at breakpoints only, so that the probability
//! of a page, or of a candidate on a place, is the mass of the density over the intervals where it
//! stands there. Nothing is sampled.

use counterweight_ranking::{Density, RankingError, sweep::Walk};

/// How a slate could have come about: the lines `fixed − x·swept` of its candidates (ids ascending)
/// and the density that x was drawn from. With two objectives and α = 1, `fixed` is P(engagement),
/// `swept` P(engagement bait) and x is λ.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// The part of each score that was not drawn, finite.
    pub fixed: &'a [f64],
    /// What the drawn weight multiplies, finite, as many.
    pub swept: &'a [f64],
    /// What it was drawn from.
    pub density: Density,
}

/// The probabilities with which the logging policy shows what it has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Propensities {
    /// Of the whole slate, in its order.
    pub slate: f64,
    /// Of the first l candidates in their order, for l from 1.
    pub prefix: Vec<f64>,
    /// Of each candidate at its place, with any candidates at the other places.
    pub position: Vec<f64>,
}

impl Draw<'_> {
    /// The propensities of a slate: distinct positions of candidates, best first. 0 where the
    /// policy never shows it so: then the log and the probabilities do not belong together.
    ///
    /// ```
    /// use counterweight_evaluation::ope::Draw;
    /// use counterweight_ranking::{Density, sweep::Walk};
    ///
    /// // Up to λ = 0.5 the first candidate leads; λ was drawn evenly from 0 to 2.
    /// let draw = Draw {
    ///     fixed: &[0.5, 0.25],
    ///     swept: &[0.75, 0.25],
    ///     density: Density::Uniform { low: 0.0, high: 2.0 },
    /// };
    /// let shown = draw.propensities(&mut Walk::default(), &[0, 1])?;
    /// assert_eq!(shown.slate, 0.25);
    /// # Ok::<(), counterweight_ranking::RankingError>(())
    /// ```
    ///
    /// # Errors
    /// [`RankingError`] when the columns, the density or the slate are no good.
    pub fn propensities(
        &self,
        walk: &mut Walk,
        slate: &[usize],
    ) -> Result<Propensities, RankingError> {
        self.check_slate(slate)?;
        let mut propensities = Propensities {
            slate: 0.0,
            prefix: vec![0.0; slate.len()],
            position: vec![0.0; slate.len()],
        };
        self.visit(walk, slate.len(), |interval| {
            let mut so_far = true;
            for (place, (shown, logged)) in interval.page.iter().zip(slate).enumerate() {
                let same = shown == logged;
                so_far &= same;
                propensities.position[place] += if same { interval.mass } else { 0.0 };
                propensities.prefix[place] += if so_far { interval.mass } else { 0.0 };
            }
            propensities.slate += if so_far { interval.mass } else { 0.0 };
        })?;
        Ok(propensities)
    }

    /// P(candidate i on place l) for all i and l, indexed `[l][i]`; k = 0 or beyond n gives n
    /// places. Each place sums to 1.
    ///
    /// # Errors
    /// [`RankingError`] when the columns or the density are no good.
    pub fn marginals(&self, walk: &mut Walk, k: usize) -> Result<Vec<Vec<f64>>, RankingError> {
        let n = self.fixed.len();
        let places = if k == 0 { n } else { k.min(n) };
        let mut marginals = vec![vec![0.0; n]; places];
        self.visit(walk, places, |interval| {
            for (row, &candidate) in marginals.iter_mut().zip(interval.page) {
                row[candidate] += interval.mass;
            }
        })?;
        Ok(marginals)
    }

    /// Goes through the intervals of the range, in order.
    pub(super) fn visit(
        &self,
        walk: &mut Walk,
        places: usize,
        mut see: impl FnMut(Interval<'_>),
    ) -> Result<(), RankingError> {
        self.density.check()?;
        self.check_columns()?;
        let (start, end) = self.density.range();
        walk.start(self.fixed, self.swept, start, places);
        let mut page: Vec<usize> = walk.page().collect();
        let (mut low, mut below) = (start, 0.0);
        loop {
            let step = walk.next_before(end);
            let high = step.map_or(end, |step| step.x);
            if high > low {
                let up_to = self.density.below(high);
                see(Interval {
                    low,
                    mass: up_to - below,
                    page: &page,
                });
                (low, below) = (high, up_to);
            }
            let Some(step) = step else { return Ok(()) };
            page[step.place] = step.rises;
            if let Some(next) = page.get_mut(step.place + 1) {
                *next = step.falls;
            }
        }
    }

    fn check_columns(&self) -> Result<(), RankingError> {
        let (found, expected) = (self.swept.len(), self.fixed.len());
        if found != expected {
            let what = "`swept` (as many as `fixed`)";
            return Err(RankingError::Length {
                request: 0,
                what,
                found,
                expected,
            });
        }
        if expected == 0 {
            return Err(RankingError::NoCandidates { request: 0 });
        }
        if expected >= u32::MAX as usize {
            let candidates = expected;
            return Err(RankingError::TooManyCandidates {
                request: 0,
                candidates,
            });
        }
        let all = || self.fixed.iter().chain(self.swept).copied();
        match all().find(|value| !value.is_finite()) {
            Some(value) => Err(RankingError::OutOfRange {
                what: "a candidate's score",
                value,
                range: "finite",
            }),
            None => Ok(()),
        }
    }

    fn check_slate(&self, slate: &[usize]) -> Result<(), RankingError> {
        let n = self.fixed.len();
        let mut shown = vec![false; n];
        for &candidate in slate {
            match shown.get_mut(candidate) {
                Some(shown) if !*shown => *shown = true,
                _ => {
                    return Err(RankingError::Slate {
                        candidate,
                        candidates: n,
                    });
                }
            }
        }
        if slate.is_empty() {
            return Err(RankingError::NoPlaces);
        }
        Ok(())
    }
}

/// A part of the range in which the page stays as it is.
pub(super) struct Interval<'a> {
    pub(super) low: f64,
    pub(super) mass: f64,
    pub(super) page: &'a [usize],
}
