//! How far each weight may move before one response changes: of the page as a whole, and of each candidate on it.
//!
//! Candidate a stands above b while sₐ − s_b = (vₐ − v_b) + w·(pₐ − p_b) > 0, with w the weight in question, p its probabilities and v the
//! rest of the scores: a half-line in w. Served scores are rounded sums, so that near the crossing the order is decided by rounding; each half-line
//! is therefore cut short by what rounding can be at most. Inside a range the very doubles that are served give the same order.

/// Closed; ends may be infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Range {
    const ALL: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };

    /// Whether w lies in it, ends included.
    pub fn contains(self, w: f64) -> bool {
        self.low <= w && w <= self.high
    }
}

/// For each weight, the range in which the ordered page stays as it is while the other weights are held, rounded inward.
///
/// `weights` has one weight per objective, `probabilities` one column of n per objective, candidates in ascending order of their ids; `page` holds the
/// positions of the top k, best first, as these weights give them (the result of [`crate::top_k`]). Where a tie decides the page at these weights and not at
/// others, the range ends at the weight itself. O(n) per objective.
pub fn ranges<P: AsRef<[f64]>>(weights: &[f64], probabilities: &[P], page: &[usize]) -> Vec<Range> {
    (0..weights.len())
        .map(|objective| {
            let lines = Lines::new(weights, probabilities, objective);
            let neighbours = page.windows(2).map(|pair| (pair[0], pair[1]));
            let outside = lines.outside(page);
            let last = page
                .last()
                .into_iter()
                .flat_map(|&last| outside.iter().map(move |&other| (last, other)));
            let now = weights[objective];
            let mut range = Range::ALL;
            for (upper, lower) in neighbours.chain(last) {
                match lines
                    .above(upper, lower)
                    .filter(|range| range.contains(now))
                {
                    Some(above) => {
                        range = Range {
                            low: range.low.max(above.low),
                            high: range.high.min(above.high),
                        }
                    }
                    None => {
                        return Range {
                            low: now,
                            high: now,
                        };
                    }
                }
            }
            range
        })
        .collect()
}

/// For each candidate of the page, the range of one weight in which it stays on the page (at whatever place) while the other weights are
/// held, rounded inward. Arguments as in [`ranges`]. O(k · n log n).
pub fn staying<P: AsRef<[f64]>>(
    weights: &[f64],
    probabilities: &[P],
    objective: usize,
    page: &[usize],
) -> Vec<Range> {
    let lines = Lines::new(weights, probabilities, objective);
    let now = weights[objective];
    (0..page.len())
        .map(|place| lines.stays(page, place, now))
        .collect()
}

/// Above 0, where a tie would be, by something that products of it survive.
const TINY: f64 = 1e-250;

/// The scores as lines in one weight.
struct Lines {
    /// What the other weights give.
    held: Vec<f64>,
    /// The sum of the sizes of what was added there.
    size: Vec<f64>,
    /// Each of these contributions, candidate by candidate: equal ones are rounded alike.
    contributions: Vec<Vec<f64>>,
    swept: Vec<f64>,
    /// How far a sum can be off, per unit of its terms' sizes.
    rounding: f64,
}

impl Lines {
    fn new<P: AsRef<[f64]>>(weights: &[f64], probabilities: &[P], objective: usize) -> Self {
        let swept = probabilities[objective].as_ref().to_vec();
        let mut contributions = vec![Vec::new(); swept.len()];
        for (other, (&weight, column)) in weights.iter().zip(probabilities).enumerate() {
            if other != objective {
                for (row, &p) in contributions.iter_mut().zip(column.as_ref()) {
                    row.push(crate::contribution(weight, p));
                }
            }
        }
        Self {
            held: contributions.iter().map(|row| row.iter().sum()).collect(),
            size: contributions
                .iter()
                .map(|row| row.iter().map(|c| c.abs()).sum())
                .collect(),
            contributions,
            swept,
            // Twice the bound for one product and one addition per objective, for either candidate, and as much for this computation.
            rounding: 4.0 * (weights.len() as f64 + 2.0) * f64::EPSILON,
        }
    }

    /// Who is not on the page.
    fn outside(&self, page: &[usize]) -> Vec<usize> {
        let mut shown = vec![false; self.swept.len()];
        page.iter().for_each(|&candidate| shown[candidate] = true);
        (0..shown.len())
            .filter(|&candidate| !shown[candidate])
            .collect()
    }

    /// The weights for which a certainly stands above b; `None` where there are none.
    fn above(&self, a: usize, b: usize) -> Option<Range> {
        let slope = self.swept[a] - self.swept[b];
        if self.contributions[a] == self.contributions[b] && a < b {
            // Rounded alike: a scores at least as much wherever w·p does, and wins the tie.
            return Some(if slope > 0.0 {
                Range {
                    low: 0.0,
                    ..Range::ALL
                }
            } else if slope < 0.0 {
                Range {
                    high: 0.0,
                    ..Range::ALL
                }
            } else {
                Range::ALL
            });
        }
        // Where (vₐ − v_b) + w·slope ≥ rounding · (size + |w|·spread): at 0, and with its slopes right and left of it.
        let spread = self.rounding * (self.swept[a].abs() + self.swept[b].abs());
        let at_zero =
            self.held[a] - self.held[b] - self.rounding * (self.size[a] + self.size[b]) - TINY;
        let (right, left) = (slope - spread, slope + spread);
        if at_zero >= 0.0 {
            Some(Range {
                low: if left > 0.0 {
                    -at_zero / left
                } else {
                    f64::NEG_INFINITY
                },
                high: if right < 0.0 {
                    -at_zero / right
                } else {
                    f64::INFINITY
                },
            })
        } else if right > 0.0 {
            Some(Range {
                low: -at_zero / right,
                ..Range::ALL
            })
        } else if left < 0.0 {
            Some(Range {
                high: -at_zero / left,
                ..Range::ALL
            })
        } else {
            None
        }
    }

    /// Where fewer than k others can stand above the candidate on this place, k being the length of the page, around `now`.
    fn stays(&self, page: &[usize], place: usize, now: f64) -> Range {
        let candidate = page[place];
        // At `now` those on the places before are above, and no one else.
        let mut above_now = vec![false; self.swept.len()];
        page[..place]
            .iter()
            .for_each(|&better| above_now[better] = true);
        // Where others come to stand above it (true), and where they certainly do no more (false), by distance from `now` on either side.
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for other in (0..self.swept.len()).filter(|&other| other != candidate) {
            let below = self.above(candidate, other);
            if above_now[other] {
                if let Some(below) = below {
                    if below.low > now {
                        up.push((below.low - now, false, below.low));
                        up.push((below.high - now, true, below.high));
                    } else if below.high < now {
                        down.push((now - below.high, false, below.high));
                        down.push((now - below.low, true, below.low));
                    }
                }
            } else {
                let below = below.filter(|below| below.contains(now)).unwrap_or(Range {
                    low: now,
                    high: now,
                });
                up.push((below.high - now, true, below.high));
                down.push((now - below.low, true, below.low));
            }
        }
        let end = |mut events: Vec<(f64, bool, f64)>, never: f64| {
            // At the same distance who comes counts before who goes.
            events.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            let mut room = page.len() - 1 - place;
            for (_, rises, at) in events {
                match (rises, room) {
                    (true, 0) => return at,
                    (true, _) => room -= 1,
                    (false, _) => room += 1,
                }
            }
            never
        };
        Range {
            low: end(down, f64::NEG_INFINITY),
            high: end(up, f64::INFINITY),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{combine, top_k};

    fn page(weights: &[f64], columns: &[Vec<f64>], k: usize) -> Vec<usize> {
        let ids: Vec<String> = (0..columns[0].len()).map(|i| format!("{i:04}")).collect();
        top_k(&combine(weights, columns), &ids, k)
    }

    fn with(weights: &[f64], objective: usize, weight: f64) -> Vec<f64> {
        let mut weights = weights.to_vec();
        weights[objective] = weight;
        weights
    }

    /// Both ends where they are finite, and points between; far ones where they are not.
    fn inside(range: Range, now: f64) -> Vec<f64> {
        let low = if range.low.is_finite() {
            range.low
        } else {
            now - 1e6
        };
        let high = if range.high.is_finite() {
            range.high
        } else {
            now + 1e6
        };
        (0..=8)
            .map(|i| low + (high - low) * f64::from(i) / 8.0)
            .map(|w| w.clamp(low, high))
            .collect()
    }

    /// Points right outside the finite ends.
    fn outside(range: Range) -> Vec<f64> {
        let step = |end: f64| 1e-7 * (1.0 + end.abs());
        let ends = [(range.low, -1.0), (range.high, 1.0)];
        ends.iter()
            .filter(|(end, _)| end.is_finite())
            .map(|(end, side)| end + side * step(*end))
            .collect()
    }

    fn check(
        weights: &[f64],
        columns: &[Vec<f64>],
        k: usize,
        spread: bool,
    ) -> Result<(), TestCaseError> {
        let served = page(weights, columns, k);
        for (objective, range) in ranges(weights, columns, &served).into_iter().enumerate() {
            let now = weights[objective];
            prop_assert!(range.contains(now));
            for w in inside(range, now) {
                prop_assert_eq!(
                    &page(&with(weights, objective, w), columns, k),
                    &served,
                    "inside, at {} of {:?}",
                    w,
                    range
                );
            }
            for w in outside(range).into_iter().filter(|_| spread) {
                prop_assert_ne!(
                    &page(&with(weights, objective, w), columns, k),
                    &served,
                    "outside, at {} of {:?}",
                    w,
                    range
                );
            }
            for (range, candidate) in staying(weights, columns, objective, &served)
                .into_iter()
                .zip(&served)
            {
                prop_assert!(range.contains(now));
                for w in inside(range, now) {
                    prop_assert!(
                        page(&with(weights, objective, w), columns, k).contains(candidate),
                        "{candidate} gone at {w} of {range:?}"
                    );
                }
                for w in outside(range).into_iter().filter(|_| spread) {
                    prop_assert!(
                        !page(&with(weights, objective, w), columns, k).contains(candidate),
                        "{candidate} still there at {w} of {range:?}"
                    );
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn a_page_holds_inside_its_range_and_not_outside(
            rows in prop::collection::vec(prop::array::uniform3(0.0..1.0f64), 1..30), weights in prop::collection::vec(-2.0..2.0f64, 2..=3), k in 1usize..8,
        ) {
            let columns: Vec<Vec<f64>> = (0..weights.len()).map(|m| rows.iter().map(|row| row[m]).collect()).collect();
            check(&weights, &columns, k, true)?;
        }

        /// Ties, duplicates, weights of 0 and probabilities that differ in the last bit: what is promised inside must hold there too.
        #[test]
        fn rounding_and_ties_break_no_promise(
            rows in prop::collection::vec(prop::array::uniform3((0u8..4, 0u8..3)), 1..16), weights in prop::collection::vec((-3i8..=3).prop_map(|w| f64::from(w) / 2.0), 2..=3), k in 1usize..6,
        ) {
            prop_assume!(weights.iter().any(|&w| w != 0.0));
            let value = |(p, bits): (u8, u8)| (f64::from(p) / 5.0) * (1.0 + f64::from(bits) * f64::EPSILON);
            let columns: Vec<Vec<f64>> = (0..weights.len()).map(|m| rows.iter().map(|row| value(row[m])).collect()).collect();
            check(&weights, &columns, k, false)?;
        }
    }

    #[test]
    fn the_ends_are_the_crossings() {
        // 0.6 − 0.5x, 0.5 − 0.2x, 0.3 − 0.1x, at x = 0.2: crossings 1/3 (first two), 0.75 and 2.
        let columns = [vec![0.6, 0.5, 0.3], vec![0.5, 0.2, 0.1]];
        let weights = [1.0, -0.2];
        let near =
            |ours: f64, exact: f64| assert!((ours - exact).abs() < 1e-12, "{ours} against {exact}");
        let bait = ranges(&weights, &columns, &[0, 1])[1];
        near(bait.low, -1.0 / 3.0);
        assert!(bait.low > -1.0 / 3.0 && bait.high == f64::INFINITY);
        let stay = staying(&weights, &columns, 1, &[0, 1]);
        near(stay[0].low, -0.75);
        // From 0.75 on the page is 1 and 2.
        assert_eq!(
            (stay[1].low, stay[1].high),
            (f64::NEG_INFINITY, f64::INFINITY)
        );
    }
}
