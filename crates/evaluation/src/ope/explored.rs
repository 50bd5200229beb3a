//! Off-policy curves over a whole range of weights, from a log whose weight was drawn at random.
//!
//! The target "rank with x" is a function of x, and so is each weight: 1/P where the target shows
//! what was shown, else 0. So a logged slate adds to the estimate on some intervals and nothing
//! elsewhere, and one pass over the ends of these intervals, in order, gives every estimate for
//! every x of the range.

use counterweight_ranking::{RankingError, sweep::Walk};

use super::{
    matches::{Change, Place, Slate, What},
    propensity::{Draw, Propensities},
    sample::{Expected, Sample},
    sums::{OpeCurves, Sums},
};

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
    /// What came of each place, finite; multiply by a discount where places should count
    /// differently.
    pub rewards: &'a [f64],
    /// What a reward model expects of each candidate, on whichever place, for a doubly robust
    /// estimate.
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
    /// [`RankingError`] when columns, density or slate are no good; [`RankingError::NeverShown`]
    /// when the drawn weight cannot have given this slate (its probability is below 1e-12): then
    /// the probabilities of the log are not those that ranked. The request is not added.
    pub fn push(&mut self, served: &Served<'_>) -> Result<(), RankingError> {
        let request = self.slates.len();
        served.check(request)?;
        let propensities = served.draw.propensities(&mut self.walk, served.slate)?;
        let of_place = |place: usize| self.weighting.propensity(&propensities, place);
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
        // Only changes are kept: between two of them the slate adds the same to every estimate.
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

    /// Whether it is empty.
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

    /// The sample for the target "rank with x", with all its estimators and diagnostics. Requests
    /// whose range does not hold x are counted as unsupported.
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
        let x = |change: u32| self.changes[change as usize].x.max(low) + 0.0;
        let mut order: Vec<u32> = (0..).take(self.changes.len()).collect();
        // Stable: what one request says of one place stays in its order. What lies before the
        // common range is in force at its begin, and all changes at one point are made before the
        // estimates there are read.
        order.sort_by(|&a, &b| x(a).total_cmp(&x(b)));
        let mut curves = OpeCurves {
            high,
            ..OpeCurves::default()
        };
        let mut sums = Sums::new(&self.slates, &self.places);
        for group in order.chunk_by(|&a, &b| x(a) == x(b)) {
            if x(group[0]) >= high {
                break;
            }
            group
                .iter()
                .for_each(|&change| sums.apply(self.changes[change as usize].what));
            curves.breakpoints.push(x(group[0]));
            sums.push_to(&mut curves);
        }
        Ok(curves)
    }
}

impl Served<'_> {
    fn check(&self, request: usize) -> Result<(), RankingError> {
        let n = self.draw.fixed.len();
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
    fn propensity(self, propensities: &Propensities, place: usize) -> f64 {
        match self {
            Self::Slate => propensities.slate,
            Self::Prefix => propensities.prefix[place],
            Self::Position => propensities.position[place],
        }
    }
}
