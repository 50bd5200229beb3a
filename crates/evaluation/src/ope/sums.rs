//! The sums behind the estimates for every weight, carried from one change to the next.

use super::matches::{Place, Slate, What};

/// Estimates for every x of a range; each holds between one breakpoint and the next, the last one
/// up to `high`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpeCurves {
    /// Ascending; the first is the lower end of the range that all requests explored.
    pub breakpoints: Vec<f64>,
    /// Its upper end.
    pub high: f64,
    /// [`super::Sample::ips`] at each.
    pub ips: Vec<f64>,
    /// Its standard error.
    pub ips_error: Vec<f64>,
    /// [`super::Sample::snips`] at each.
    pub snips: Vec<f64>,
    /// The effective sample size, of the worst place.
    pub effective: Vec<f64>,
}

/// The sums behind the estimates at one x, in fixed point: what goes in comes out again to the bit.
pub(super) struct Sums<'a> {
    places: &'a [Place],
    /// How many slates there are.
    slates: f64,
    /// By place, its slate.
    slate_of: Vec<u32>,
    /// Per slate: what it adds to IPS, and the part of it that the model expects.
    totals: Vec<i128>,
    expects: Vec<i128>,
    total: i128,
    squares: i128,
    expected: i128,
    by_place: Vec<PlaceSums>,
}

#[derive(Clone, Default)]
struct PlaceSums {
    slates: f64,
    weights: i128,
    squares: i128,
    rewards: i128,
}

const ONE: f64 = (1_u128 << 64) as f64;
/// Squares reach further, and need fewer places behind the point.
const ONE_OF_SQUARES: f64 = (1_u64 << 32) as f64;

fn fixed(x: f64) -> i128 {
    (x * ONE) as i128
}

fn fixed_square(x: f64) -> i128 {
    (x * x * ONE_OF_SQUARES) as i128
}

impl<'a> Sums<'a> {
    pub(super) fn new(slates: &[Slate], all: &'a [Place]) -> Self {
        let places = all
            .iter()
            .map(|place| place.place as usize + 1)
            .max()
            .unwrap_or(0);
        let mut by_place = vec![PlaceSums::default(); places];
        for place in all {
            by_place[place.place as usize].slates += 1.0;
        }
        let mut begin = 0;
        let mut slate_of = Vec::with_capacity(all.len());
        for (slate, number) in slates.iter().zip(0..) {
            slate_of.resize(slate_of.len() + slate.places_end - begin, number);
            begin = slate.places_end;
        }
        Self {
            places: all,
            slates: slates.len() as f64,
            slate_of,
            totals: vec![0; slates.len()],
            expects: vec![0; slates.len()],
            total: 0,
            squares: 0,
            expected: 0,
            by_place,
        }
    }

    /// Makes one change.
    pub(super) fn apply(&mut self, what: What) {
        match what {
            What::Match(at, on) => {
                let place = &self.places[at];
                // On and off add the same integer with two signs, so that a place that matches
                // nowhere leaves exactly 0.
                let sign = if on { 1 } else { -1 };
                let reward = fixed(place.weight * (place.reward - place.expected));
                let sums = &mut self.by_place[place.place as usize];
                sums.weights += sign * fixed(place.weight);
                sums.squares = sums
                    .squares
                    .saturating_add(sign * fixed_square(place.weight));
                sums.rewards += sign * reward;
                self.add(self.slate_of[at] as usize, sign * reward);
            }
            What::Expects(slate, value) => {
                let delta = fixed(value) - self.expects[slate];
                self.expects[slate] += delta;
                self.expected += delta;
                self.add(slate, delta);
            }
        }
    }

    fn add(&mut self, slate: usize, delta: i128) {
        let before = self.totals[slate];
        let after = before + delta;
        self.totals[slate] = after;
        self.total += delta;
        // The square of the old total is computed again and taken out, to the bit as it went in: an
        // update of the sum of squares by 2·total·delta would drift over the millions of changes of
        // one curve.
        let square = |total: i128| fixed_square(total as f64 / ONE);
        self.squares = self.squares.saturating_add(square(after) - square(before));
    }

    /// Reads every estimate as it is now.
    pub(super) fn push_to(&self, curves: &mut OpeCurves) {
        let n = self.slates;
        let value = |sum: i128| sum as f64 / ONE;
        let mean = value(self.total) / n;
        // Of the squares as they are, less those of the mean; rounding can leave a little below 0.
        let variance = (self.squares as f64 / ONE_OF_SQUARES - n * mean * mean) / (n - 1.0);
        curves.ips.push(mean);
        curves.ips_error.push((variance.max(0.0) / n).sqrt());
        let mut normalised = value(self.expected) / n;
        // The estimate rests on the place with the fewest effective slates.
        let mut effective = f64::INFINITY;
        for place in &self.by_place {
            if place.weights > 0 {
                let weights = value(place.weights);
                normalised += place.slates / n * value(place.rewards) / weights;
                effective =
                    effective.min(weights * weights / (place.squares as f64 / ONE_OF_SQUARES));
            } else {
                effective = 0.0;
            }
        }
        curves.snips.push(normalised);
        curves.effective.push(effective);
    }
}
