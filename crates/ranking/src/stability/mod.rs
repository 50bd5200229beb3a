//! How far each weight may move before one response changes: of the page as a whole, and of each
//! candidate on it.
//!
//! Candidate a ranks above b while sₐ − s_b = (vₐ − v_b) + w·(pₐ − p_b) > 0, with w the weight in
//! question, p its probabilities and v the rest of the scores: a half-line in w. Served scores are
//! rounded sums, so that near the crossing the order is decided by rounding; each half-line is
//! therefore shortened by the largest possible rounding error. Inside a range the doubles that are
//! served give the same order.

mod lines;
mod range;
mod shown;
mod stays;

use self::{lines::Lines, shown::Shown, stays::Events};

pub use range::Range;

/// For each weight, the range in which the ordered page stays as it is while the other weights are
/// fixed, rounded inward.
///
/// `weights` has one weight per objective, `probabilities` one column of n per objective,
/// candidates in ascending order of their ids; `page` holds the positions of the top k, best first,
/// as these weights give them (the result of [`crate::top_k`]). Where a tie decides the page at
/// these weights and not at others, the range ends at the weight itself. O(n) per objective.
pub fn ranges<P: AsRef<[f64]>>(weights: &[f64], probabilities: &[P], page: &[usize]) -> Vec<Range> {
    let shown = Shown::new(probabilities, page);
    (0..weights.len())
        .map(|objective| {
            let lines = Lines::new(weights, probabilities, objective);
            let now = weights[objective];
            let neighbours = page.windows(2).map(|pair| (pair[0], pair[1]));
            let last = page.last().into_iter();
            let last = last.flat_map(|&last| shown.outside().map(move |other| (last, other)));
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

/// For each candidate of the page, the range of one weight in which it stays on the page (at
/// any place) while the other weights are fixed, rounded inward. Where three candidates meet
/// in one point, so that one comes to stand above it as another goes, the range may end there.
/// Arguments as in [`ranges`]. O(k · (n + k log k)) for a page of k.
pub fn staying<P: AsRef<[f64]>>(
    weights: &[f64],
    probabilities: &[P],
    objective: usize,
    page: &[usize],
) -> Vec<Range> {
    let lines = Lines::new(weights, probabilities, objective);
    let shown = Shown::new(probabilities, page);
    let mut events = Events::default();
    (0..page.len())
        .map(|place| lines.stays(&shown, page, place, &mut events))
        .collect()
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

    /// Beyond an end by this share of it and of 1: all that rounding inward takes off, for
    /// [`exact`] numbers.
    const OUTSIDE: f64 = 1.0 / (1_u64 << 38) as f64;

    /// A weight right outside an end, on a grid so coarse that scores of [`exact`] numbers under it
    /// are not rounded.
    fn right_outside(end: f64, side: f64) -> f64 {
        let grid = (1_u64 << 40) as f64;
        let beyond = (end + side * OUTSIDE * (1.0 + end.abs())) * grid;
        (if side > 0.0 {
            beyond.ceil()
        } else {
            beyond.floor()
        }) / grid
    }

    /// Both ends are where the page changes: at each end, to the bit, it is what it was, and right
    /// outside each it is another.
    fn check_pages(weights: &[f64], columns: &[Vec<f64>], k: usize) -> Result<(), TestCaseError> {
        let served = page(weights, columns, k);
        for (objective, range) in ranges(weights, columns, &served).into_iter().enumerate() {
            prop_assert!(range.contains(weights[objective]));
            let at = |w| page(&with(weights, objective, w), columns, k);
            for (end, outside) in ends(range) {
                prop_assert_eq!(
                    &at(end),
                    &served,
                    "another at the end {} of {:?}",
                    end,
                    range
                );
                prop_assert_ne!(
                    &at(outside),
                    &served,
                    "the same at {}, outside of {:?}",
                    outside,
                    range
                );
            }
        }
        Ok(())
    }

    /// The same for each candidate's stay, unless three meet in one point, so that one goes as
    /// another comes: there rounding decides.
    fn check_stays(weights: &[f64], columns: &[Vec<f64>], k: usize) -> Result<(), TestCaseError> {
        let served = page(weights, columns, k);
        for objective in 0..weights.len() {
            let stays = staying(weights, columns, objective, &served);
            for (range, &candidate) in stays.into_iter().zip(&served) {
                prop_assert!(range.contains(weights[objective]));
                // Who stands above the candidate.
                let above = |w| {
                    let all = page(&with(weights, objective, w), columns, 0);
                    let place = all.iter().position(|&c| c == candidate);
                    all[..place.unwrap_or(all.len())].to_vec()
                };
                for (end, outside) in ends(range) {
                    prop_assert!(
                        above(end).len() < k,
                        "{candidate} gone at the end {end} of {range:?}"
                    );
                    // As far inside: at the end itself, those that meet there may tie.
                    let (inside, outside) = (above(2.0 * end - outside), above(outside));
                    let one_goes = inside.iter().any(|c| !outside.contains(c));
                    prop_assert!(
                        one_goes || outside.len() >= k,
                        "{candidate} still there outside of {range:?}"
                    );
                }
            }
        }
        Ok(())
    }

    /// The ends, each with a weight right outside. Those so far out that sums swallow what is fixed
    /// are no crossings.
    fn ends(range: Range) -> impl Iterator<Item = (f64, f64)> {
        let both = [(range.low, -1.0), (range.high, 1.0)].into_iter();
        both.filter(|(end, _)| end.abs() < 1e9)
            .map(|(end, side)| (end, right_outside(end, side)))
    }

    /// Sixteenths and eighths: every score, and every difference of scores, is exact.
    fn exact(objectives: usize) -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<f64>)> {
        let columns = (1_usize..25).prop_flat_map(move |n| {
            let column = prop::collection::vec((0_u8..=16).prop_map(|p| f64::from(p) / 16.0), n);
            prop::collection::vec(column, objectives)
        });
        let weights =
            prop::collection::vec((-16_i8..=16).prop_map(|w| f64::from(w) / 8.0), objectives);
        (columns, weights)
    }

    /// Whether no two candidates tie that cross or are not the same: a tie at the weights
    /// themselves has its range end there, on both sides.
    fn tells_all_apart(weights: &[f64], columns: &[Vec<f64>]) -> bool {
        let mut scores = combine(weights, columns);
        scores.sort_unstable_by(f64::total_cmp);
        scores.windows(2).all(|pair| pair[0] < pair[1])
    }

    proptest! {
        #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

        #[test]
        fn both_ends_are_exact_with_two_objectives((columns, weights) in exact(2), k in 1usize..8) {
            prop_assume!(tells_all_apart(&weights, &columns));
            check_pages(&weights, &columns, k)?;
            check_stays(&weights, &columns, k)?;
        }

        #[test]
        fn both_ends_are_exact_with_three_objectives((columns, weights) in exact(3), k in 1usize..8) {
            prop_assume!(tells_all_apart(&weights, &columns));
            check_pages(&weights, &columns, k)?;
            check_stays(&weights, &columns, k)?;
        }
    }

    proptest! {
        #[test]
        fn a_page_holds_inside_its_range_and_not_outside(
            rows in prop::collection::vec(prop::array::uniform3(0.0..1.0f64), 1..30), weights in prop::collection::vec(-2.0..2.0f64, 2..=3), k in 1usize..8,
        ) {
            let columns: Vec<Vec<f64>> = (0..weights.len()).map(|m| rows.iter().map(|row| row[m]).collect()).collect();
            check(&weights, &columns, k, true)?;
        }

        /// Ties, duplicates, weights of 0 and probabilities that differ in the last bit: what is
        /// promised inside must hold there too.
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
