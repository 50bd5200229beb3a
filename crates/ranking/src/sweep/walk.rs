//! One request's ranking as its swept weight grows: which candidates change places, and where. The
//! heart of every exact curve.
//!
//! Candidate i is the line `fixed[i] − x·swept[i]`, best is highest, and x grows. Two lines cross
//! at x = (fixedᵢ − fixedⱼ)/(sweptᵢ − sweptⱼ), at most once, and then the one with the smaller
//! `swept` is on top for good. So the ordered top k changes in two ways only: neighbours on the
//! page swap, or the best candidate off the page overtakes the last one on it. The walk keeps the
//! crossing of each neighbouring pair and always takes the smallest.
//!
//! Rounding cannot derail it. Whether a pair will cross is decided by comparing `swept`, which is
//! exact; the place of a crossing never lies before the last one; and each swap puts a smaller
//! `swept` on top, or the better of two parallel lines, so that the walk ends.

use std::collections::BinaryHeap;

use super::{line::Line, pool::Pool};
use crate::order::ascending;

/// Two candidates change places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Where on the axis of the swept weight; never before the step before it.
    pub x: f64,
    /// The place on the page, from 0, that `rises` takes from `falls`. `falls` gets the next place,
    /// or leaves the page where this is its last.
    pub place: usize,
    /// The candidate that moves up.
    pub rises: usize,
    /// The candidate that moves down.
    pub falls: usize,
}

/// A walk over one request. It is meant to be kept and started again, so that its memory is used
/// again.
#[derive(Debug, Default)]
pub struct Walk {
    /// The lines that can be on the page, in the order in which the walk starts.
    lines: Vec<Line>,
    /// The line on each place of the page.
    page: Vec<u32>,
    /// Where each place is overtaken by the next; the last place by the best of the pool.
    overtaken: Vec<f64>,
    /// The lines off the page.
    pool: Pool,
    now: f64,
    keys: Vec<(u64, u64, u32)>,
    smallest: BinaryHeap<u64>,
}

impl Walk {
    /// Begins at `start`, or right after it: candidates that are equal there stand as they will for
    /// a larger x, and candidates that stay equal in the order of their positions in the slices.
    ///
    /// `fixed` and `swept` have one finite entry per candidate, at most 2³² − 1; the page has `k` ≥
    /// 1 places. O(n log n) for n candidates.
    pub fn start(&mut self, fixed: &[f64], swept: &[f64], start: f64, k: usize) {
        self.now = start;
        self.keep_skyband(fixed, swept, start, k);
        let places = k.min(self.lines.len());
        self.page.clear();
        self.page.extend(0..places as u32);
        self.pool.build(&self.lines, places, start);
        self.overtaken.clear();
        self.overtaken.resize(places, f64::INFINITY);
        for place in 0..places {
            self.look_below(place);
        }
    }

    /// The candidates on the page, best first.
    pub fn page(&self) -> impl ExactSizeIterator<Item = usize> {
        self.page.iter().map(|&line| self.candidate(line))
    }

    /// The next change of the page, at most at `limit`.
    ///
    /// O(k) plus O(log n) where the last place changes.
    pub fn next_before(&mut self, limit: f64) -> Option<Step> {
        loop {
            let (place, x) = self.earliest()?;
            let pool_changes = self.pool.changes_at();
            // On a tie the pool goes first: who overtakes the last place must be the best off the
            // page, or a line that another one there has passed in the same point would get on it.
            if pool_changes <= x {
                if pool_changes > limit || pool_changes == f64::INFINITY {
                    return None;
                }
                self.now = self.now.max(pool_changes);
                self.pool.advance(&self.lines, self.now);
                self.look_below(self.page.len() - 1);
                continue;
            }
            if x > limit {
                return None;
            }
            self.now = x;
            return Some(self.overtake(place));
        }
    }

    /// Lets the line below `place` overtake it.
    fn overtake(&mut self, place: usize) -> Step {
        let falls = self.page[place];
        let rises = if let Some(&next) = self.page.get(place + 1) {
            self.page[place + 1] = falls;
            next
        } else {
            self.pool.replace_leader(&self.lines, falls, self.now)
        };
        self.page[place] = rises;
        // Only three neighbourhoods have new lines in them; every other crossing stays as it was
        // found.
        if place > 0 {
            self.look_below(place - 1);
        }
        self.look_below(place);
        if place + 1 < self.page.len() {
            self.look_below(place + 1);
        }
        Step {
            x: self.now,
            place,
            rises: self.candidate(rises),
            falls: self.candidate(falls),
        }
    }

    /// Finds where the line at `place` is overtaken by the one below it.
    fn look_below(&mut self, place: usize) {
        let below = match self.page.get(place + 1) {
            Some(&line) => Some(line),
            None => self.pool.leader(),
        };
        self.overtaken[place] = below.map_or(f64::INFINITY, |below| {
            self.lines[self.page[place] as usize]
                .overtaken_by(&self.lines[below as usize], self.now)
        });
    }

    /// The place that is overtaken first, and where.
    fn earliest(&self) -> Option<(usize, f64)> {
        // Pages are short: looking at every place is faster than keeping a heap in order. Of equal
        // places the first is taken, so that the walk is the same on every machine.
        let mut best = (0, *self.overtaken.first()?);
        for (place, &x) in self.overtaken.iter().enumerate().skip(1) {
            if x < best.1 {
                best = (place, x);
            }
        }
        Some(best)
    }

    fn candidate(&self, line: u32) -> usize {
        self.lines[line as usize].candidate as usize
    }

    /// Sorts best first, and leaves out who has k others at least as good at the start and with a
    /// `swept` no larger: these stay in front for ever (the k-skyband).
    fn keep_skyband(&mut self, fixed: &[f64], swept: &[f64], start: f64, k: usize) {
        self.keys.clear();
        let candidates = fixed.iter().zip(swept).zip(0..);
        self.keys
            .extend(candidates.map(|((&fixed, &swept), candidate)| {
                // Equal scores order by slope: right after `start` the smaller one is ahead.
                (
                    !ascending(fixed - start * swept),
                    ascending(swept),
                    candidate,
                )
            }));
        self.keys.sort_unstable();
        self.lines.clear();
        self.smallest.clear();
        for &(_, slope, candidate) in &self.keys {
            // Lines come best first, so that each one before is at least as good here; of these the
            // heap keeps the k smallest slopes. A line whose slope is not below the largest of them
            // has k lines above it for ever.
            if self.smallest.len() < k {
                self.smallest.push(slope);
            } else {
                match self.smallest.peek_mut() {
                    Some(mut largest) if slope < *largest => *largest = slope,
                    _ => continue,
                }
            }
            self.lines.push(Line {
                fixed: fixed[candidate as usize],
                swept: swept[candidate as usize],
                candidate,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(fixed: &[f64], swept: &[f64], x: f64, k: usize) -> Vec<usize> {
        let score = |i: usize| fixed[i] - x * swept[i];
        let mut order: Vec<usize> = (0..fixed.len()).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
        order.truncate(k);
        order
    }

    /// The pages of all intervals in which numbers of some width fit, each with the interval.
    fn pages(fixed: &[f64], swept: &[f64], start: f64, k: usize) -> Vec<(f64, f64, Vec<usize>)> {
        let mut walk = Walk::default();
        walk.start(fixed, swept, start, k);
        let mut pages = Vec::new();
        let (mut low, mut page) = (start, walk.page().collect::<Vec<_>>());
        while let Some(step) = walk.next_before(f64::INFINITY) {
            assert!(step.x >= low, "steps go backwards");
            if step.x > low {
                pages.push((low, step.x, page.clone()));
            }
            assert_eq!(page[step.place], step.falls);
            page[step.place] = step.rises;
            if step.place + 1 < page.len() {
                assert_eq!(page[step.place + 1], step.rises);
                page[step.place + 1] = step.falls;
            }
            assert!(walk.page().eq(page.iter().copied()));
            low = step.x;
        }
        pages.push((low, f64::INFINITY, page));
        pages
    }

    fn check(fixed: &[f64], swept: &[f64], start: f64, k: usize) -> Result<(), TestCaseError> {
        let pages = pages(fixed, swept, start, k);
        for (low, high, page) in &pages {
            let middle = if high.is_finite() {
                0.5 * (low + high)
            } else {
                2.0 * low + 1.0
            };
            if high - low > 1e-9 * middle {
                prop_assert_eq!(page, &sorted(fixed, swept, middle, k), "at {}", middle);
            }
        }
        for pair in pages.windows(2) {
            prop_assert!(pair[0].2 != pair[1].2, "no change at {}", pair[0].1);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_page_is_the_one_that_sorting_gives(
            rows in prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 1..60), k in 1usize..14, start in 0.0..3.0f64,
        ) {
            let (fixed, swept): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            check(&fixed, &swept, 0.0, k)?;
            check(&fixed, &swept, start, k)?;
        }

        /// Halves are exact, so that many lines meet in one point, and many are the same.
        #[test]
        fn ties_and_duplicates_are_walked_too(
            rows in prop::collection::vec((0i8..5, -4i8..5), 1..40), k in 1usize..9,
        ) {
            let (fixed, swept): (Vec<f64>, Vec<f64>) =
                rows.into_iter().map(|(h, s)| (f64::from(h) / 2.0, f64::from(s) / 4.0)).unzip();
            check(&fixed, &swept, 0.0, k)?;
        }
    }

    #[test]
    fn equal_candidates_never_move() {
        let mut walk = Walk::default();
        walk.start(&[0.5; 9], &[0.2; 9], 0.0, 3);
        assert!(walk.page().eq(0..3));
        assert_eq!(walk.next_before(f64::INFINITY), None);
        walk.start(&[0.5], &[0.2], 0.0, 3);
        assert!(walk.page().eq(0..1));
        assert_eq!(walk.next_before(f64::INFINITY), None);
        walk.start(&[], &[], 0.0, 3);
        assert_eq!(walk.page().len(), 0);
        assert_eq!(walk.next_before(f64::INFINITY), None);
    }

    /// Every candidate gets on the page once: no pruning helps, and each step must cost a
    /// logarithm.
    #[test]
    fn a_convex_front_of_many_candidates_is_walked_in_time() {
        let n = 200_000;
        let swept: Vec<f64> = (0..n).map(|i| f64::from(i) / f64::from(n)).collect();
        let fixed: Vec<f64> = swept.iter().map(|b| 2.0 * b - b * b).collect();
        let mut walk = Walk::default();
        walk.start(&fixed, &swept, 0.0, 3);
        let entries = std::iter::from_fn(|| walk.next_before(f64::INFINITY))
            .filter(|step| step.place == 2)
            .count();
        assert!(entries >= n as usize - 3, "{entries}");
        assert!(walk.page().eq(0..3));
    }
}
