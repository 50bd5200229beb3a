//! Off-policy curves over a whole range of weights, from a log whose weight was drawn at random.
//!
//! The target "rank with x" is a function of x, and so is each weight: 1/P where the target shows what was shown, else 0. So a logged slate
//! adds to the estimate on some intervals and nothing elsewhere, and one pass over the ends of these intervals, in order, gives every estimate
//! for every x of the range.

use super::{
    propensity::{Draw, Propensities},
    sample::{Expected, Sample},
};
use crate::{error::RankingError, order::ascending, sweep::Walk};

/// What must agree for a place's reward to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weighting {
    /// The whole slate (SIPS): nothing is assumed of users, at the price of the largest weights.
    Slate,
    /// The slate down to the place (RIPS): a reward depends on what stands above.
    Prefix,
    /// The candidate on the place (IIPS): a reward depends on nothing else. The smallest weights.
    Position,
}

/// One request that was served with a weight drawn at random.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// How its slate came about.
    pub draw: Draw<'a>,
    /// The candidates that were shown, best first.
    pub slate: &'a [usize],
    /// What came of each place, finite; multiply by a discount where places should count differently.
    pub rewards: &'a [f64],
    /// What a reward model expects of each candidate, on whichever place, for a doubly robust estimate.
    pub expected: Option<&'a [f64]>,
}

/// Collects served requests. Memory grows with the intervals in which slates match.
#[derive(Debug)]
pub struct Explored {
    weighting: Weighting,
    walk: Walk,
    slates: Vec<Slate>,
    places: Vec<Place>,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Slate {
    range: (f64, f64),
    /// Its places and its changes end before these.
    places_end: usize,
    changes_end: usize,
    has_model: bool,
}

#[derive(Debug)]
struct Place {
    /// Which of the slate, from 0.
    place: u32,
    /// 1 / propensity.
    weight: f64,
    reward: f64,
    /// What the model expects of it.
    expected: f64,
}

/// What is different from `x` on.
#[derive(Debug, Clone, Copy)]
struct Change {
    x: f64,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// Whether the target shows what was shown at this place (of [`Explored::places`]).
    Match(usize, bool),
    /// What the model expects of the target's page, for this slate.
    Expects(usize, f64),
}

/// Estimates for every x of a range; each holds between one breakpoint and the next, the last one up to `high`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpeCurves {
    /// Ascending; the first is the lower end of the range that all requests explored.
    pub breakpoints: Vec<f64>,
    /// Its upper end.
    pub high: f64,
    /// [`Sample::ips`] at each.
    pub ips: Vec<f64>,
    /// Its standard error.
    pub ips_error: Vec<f64>,
    /// [`Sample::snips`] at each.
    pub snips: Vec<f64>,
    /// The effective sample size, of the worst place.
    pub effective: Vec<f64>,
}

/// Smaller propensities are narrower than what doubles tell apart.
const LEAST: f64 = 1e-12;

impl Explored {
    /// No request yet.
    pub fn new(weighting: Weighting) -> Self {
        Self {
            weighting,
            walk: Walk::default(),
            slates: Vec::new(),
            places: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Adds a request.
    ///
    /// # Errors
    /// [`RankingError`] when columns, density or slate are no good; [`RankingError::NeverShown`] when the drawn weight cannot have given this slate
    /// (its probability is below 1e-12): then the probabilities of the log are not those that ranked. The request is not added.
    pub fn push(&mut self, served: &Served<'_>) -> Result<(), RankingError> {
        let request = self.slates.len();
        served.check(request)?;
        let propensities = served.draw.propensities(&mut self.walk, served.slate)?;
        let of_place = |place: usize| self.weighting.of(&propensities, place);
        if let Some(place) = (0..served.slate.len()).find(|&place| of_place(place) < LEAST) {
            return Err(RankingError::NeverShown {
                request,
                place,
                propensity: of_place(place),
            });
        }
        let first = self.places.len();
        self.places
            .extend(served.slate.iter().zip(served.rewards).zip(0_u32..).map(
                |((&candidate, &reward), place)| Place {
                    place,
                    weight: 1.0 / of_place(place as usize),
                    reward,
                    expected: served.expected.map_or(0.0, |expected| expected[candidate]),
                },
            ));
        self.add_changes(served, request, first)?;
        self.slates.push(Slate {
            range: served.draw.density.range(),
            places_end: self.places.len(),
            changes_end: self.changes.len(),
            has_model: served.expected.is_some(),
        });
        Ok(())
    }

    fn add_changes(
        &mut self,
        served: &Served<'_>,
        request: usize,
        first: usize,
    ) -> Result<(), RankingError> {
        let Self {
            weighting,
            walk,
            changes,
            ..
        } = self;
        let mut on = vec![false; served.slate.len()];
        let mut expects = f64::NAN;
        served.draw.visit(walk, served.slate.len(), |interval| {
            let whole = interval.page == served.slate;
            let mut so_far = true;
            for (place, (shown, logged)) in interval.page.iter().zip(served.slate).enumerate() {
                so_far &= shown == logged;
                let matches = match weighting {
                    Weighting::Slate => whole,
                    Weighting::Prefix => so_far,
                    Weighting::Position => shown == logged,
                };
                if matches != on[place] {
                    on[place] = matches;
                    changes.push(Change {
                        x: interval.low,
                        what: What::Match(first + place, matches),
                    });
                }
            }
            if let Some(expected) = served.expected {
                let sum = interval
                    .page
                    .iter()
                    .map(|&candidate| expected[candidate])
                    .sum();
                if sum != expects {
                    expects = sum;
                    changes.push(Change {
                        x: interval.low,
                        what: What::Expects(request, sum),
                    });
                }
            }
        })
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.slates.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slates.is_empty()
    }

    /// The range that every request explored.
    ///
    /// # Errors
    /// [`RankingError::NoRequests`], or [`RankingError::NoCommonRange`].
    pub fn range(&self) -> Result<(f64, f64), RankingError> {
        if self.is_empty() {
            return Err(RankingError::NoRequests);
        }
        let low = self
            .slates
            .iter()
            .map(|slate| slate.range.0)
            .fold(0.0, f64::max);
        let high = self
            .slates
            .iter()
            .map(|slate| slate.range.1)
            .fold(f64::INFINITY, f64::min);
        if low < high {
            Ok((low, high))
        } else {
            Err(RankingError::NoCommonRange { low, high })
        }
    }

    /// The sample for the target "rank with x", with all its estimators and diagnostics. Requests whose range does not hold x are counted as
    /// unsupported.
    ///
    /// # Errors
    /// [`RankingError::NoRequests`].
    pub fn sample_at(&self, x: f64) -> Result<Sample, RankingError> {
        if self.is_empty() {
            return Err(RankingError::NoRequests);
        }
        let mut sample = Sample::default();
        let (mut places_begin, mut changes_begin) = (0, 0);
        for slate in &self.slates {
            let places = &self.places[places_begin..slate.places_end];
            let mut weights = vec![0.0; places.len()];
            let mut target = 0.0;
            for change in self.changes[changes_begin..slate.changes_end]
                .iter()
                .take_while(|change| change.x <= x)
            {
                match change.what {
                    What::Match(place, on) => {
                        weights[place - places_begin] =
                            if on { self.places[place].weight } else { 0.0 }
                    }
                    What::Expects(_, value) => target = value,
                }
            }
            if !(slate.range.0..=slate.range.1).contains(&x) {
                weights.fill(0.0);
                sample.count_unsupported();
            }
            let rewards: Vec<f64> = places.iter().map(|place| place.reward).collect();
            let logged: Vec<f64> = places.iter().map(|place| place.expected).collect();
            let expected = slate.has_model.then_some(Expected {
                logged: &logged,
                target,
            });
            sample.push(&rewards, &weights, expected)?;
            (places_begin, changes_begin) = (slate.places_end, slate.changes_end);
        }
        Ok(sample)
    }

    /// Every estimate for every x of [`Self::range`], in one pass.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub fn curves(&self) -> Result<OpeCurves, RankingError> {
        let (low, high) = self.range()?;
        let mut order: Vec<u32> = (0..).take(self.changes.len()).collect();
        order.sort_by_key(|&change| ascending(self.changes[change as usize].x.max(low)));
        let mut curves = OpeCurves {
            high,
            ..OpeCurves::default()
        };
        let mut sums = Sums::new(self);
        let x = |change: u32| self.changes[change as usize].x.max(low);
        for group in order.chunk_by(|&a, &b| x(a) == x(b)) {
            if x(group[0]) >= high {
                break;
            }
            group
                .iter()
                .for_each(|&change| sums.apply(self.changes[change as usize].what));
            curves.breakpoints.push(x(group[0]));
            sums.read(&mut curves);
        }
        Ok(curves)
    }
}

impl Served<'_> {
    fn check(&self, request: usize) -> Result<(), RankingError> {
        let n = self.draw.held.len();
        for (what, found, expected) in [
            ("`rewards`", self.rewards.len(), self.slate.len()),
            ("`expected`", self.expected.map_or(n, <[f64]>::len), n),
        ] {
            if found != expected {
                return Err(RankingError::Length {
                    request,
                    what,
                    found,
                    expected,
                });
            }
        }
        if let Some(&value) = self
            .rewards
            .iter()
            .chain(self.expected.into_iter().flatten())
            .find(|r| !r.is_finite())
        {
            let range = "finite; leave out requests whose labels are not known";
            return Err(RankingError::OutOfRange {
                what: "a reward",
                value,
                range,
            });
        }
        Ok(())
    }
}

impl Weighting {
    fn of(self, propensities: &Propensities, place: usize) -> f64 {
        match self {
            Self::Slate => propensities.slate,
            Self::Prefix => propensities.prefix[place],
            Self::Position => propensities.position[place],
        }
    }
}

/// The sums behind the estimates at one x, in fixed point: what goes in comes out again to the bit.
struct Sums<'a> {
    explored: &'a Explored,
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
    fn new(explored: &'a Explored) -> Self {
        let places = explored
            .places
            .iter()
            .map(|place| place.place as usize + 1)
            .max()
            .unwrap_or(0);
        let mut by_place = vec![PlaceSums::default(); places];
        for place in &explored.places {
            by_place[place.place as usize].slates += 1.0;
        }
        let mut begin = 0;
        let mut slate_of = Vec::with_capacity(explored.places.len());
        for (slate, number) in explored.slates.iter().zip(0..) {
            slate_of.resize(slate_of.len() + slate.places_end - begin, number);
            begin = slate.places_end;
        }
        Self {
            explored,
            slate_of,
            totals: vec![0; explored.len()],
            expects: vec![0; explored.len()],
            total: 0,
            squares: 0,
            expected: 0,
            by_place,
        }
    }

    fn apply(&mut self, what: What) {
        match what {
            What::Match(at, on) => {
                let place = &self.explored.places[at];
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
        let square = |total: i128| fixed_square(total as f64 / ONE);
        self.squares = self.squares.saturating_add(square(after) - square(before));
    }

    fn read(&self, curves: &mut OpeCurves) {
        let n = self.explored.len() as f64;
        let value = |sum: i128| sum as f64 / ONE;
        let mean = value(self.total) / n;
        let variance = (self.squares as f64 / ONE_OF_SQUARES - n * mean * mean) / (n - 1.0);
        curves.ips.push(mean);
        curves.ips_error.push((variance.max(0.0) / n).sqrt());
        let mut normalised = value(self.expected) / n;
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
