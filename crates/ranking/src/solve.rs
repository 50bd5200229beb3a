//! Inverse control: the weight that reaches a goal, from the exact curves over that weight.
//!
//! One objective's weight, the swept one, is −x for x ≥ 0; the other weights are fixed, for each
//! request at its own values. Requests to which the sought weight does not apply count with the
//! page that they have. Gain and cost are then step functions of x, and every step is looked at:
//! the answer is the best one, not an approximation. It is never a breakpoint, but a short number
//! well within an interval that is wide enough to rest on.
//!
//! ```
//! use counterweight_ranking::solve::{Goal, Solver};
//!
//! let (engagement, bait) = ([0.5, 0.375], [0.75, 0.25]);
//! // A page of one place and two objectives: seek the weight of the second, the first is the gain.
//! let mut solver = Solver::new(1, 2, 1, 0)?;
//! solver.push(&[&engagement, &bait], &[1.0, 0.0], true)?;
//! let solved = solver.solve(Goal::Budget(0.3), (-10.0, 10.0))?;
//! // Every weight below −0.25 reaches the budget.
//! assert_eq!((solved.weight, solved.gain, solved.cost), (-0.5, 0.375, 0.25));
//! assert!(solver.solve(Goal::Budget(0.2), (-10.0, 10.0)).is_err());
//! # Ok::<(), counterweight_ranking::RankingError>(())
//! ```

use serde::Serialize;

use crate::{
    error::RankingError,
    number::shortest,
    sweep::{Discount, Metric, Plan, Request, Sign, Sweep},
};

/// A goal. Gain and cost are the exposures of two objectives: means over all requests of the mean
/// probability on the page. A limit counts as kept within 1e-12, which is more than the sums are
/// rounded by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The most gain with a cost of at most this, in [0, 1].
    Budget(f64),
    /// The least cost with a gain of at least this, in [0, 1].
    AtLeast(f64),
    /// The most gain − rate · cost; finite and at least 0.
    Rate(f64),
}

/// The answer. Ranked anew under the weight, the requests have this gain and cost, but for
/// candidates that tie all over the range, as lines do that are the same: there the rounding of
/// their served sums may order them otherwise, and their gain may differ. With two objectives, or
/// where the sought weight is the last one, such sums are rounded alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solved {
    /// The weight of the swept objective, 0 or below.
    pub weight: f64,
    /// The open range of weights in which the pages keep their candidates, as far as gain or cost
    /// can tell, so that both stay to the bit. For weight 0, where ties break by id, its upper end
    /// is 0 and part of it; its lower end is 0 too where ties decide a page there.
    pub range: (f64, f64),
    /// Exposure of the gain objective under the weight.
    pub gain: f64,
    /// Exposure of the swept objective under the weight.
    pub cost: f64,
}

/// An interval narrower than this share of its middle is nothing to rest a weight on: rounding
/// decides what is ranked there.
pub const MIN_WIDTH: f64 = 1e-9;

/// By how much a limit may be missed.
const ROUNDING: f64 = 1e-12;

/// Takes requests one after the other. Works on the caller's thread alone; memory grows with the
/// changes of pages, not with the candidates.
#[derive(Debug)]
pub struct Solver {
    sweep: Sweep,
    gain: usize,
    swept: usize,
    free: usize,
}

impl Solver {
    /// A solver for pages of `k` places that seeks the weight of objective `swept`, whose exposure
    /// is the cost; the gain is the exposure of objective `gain`.
    ///
    /// # Errors
    /// [`RankingError::NoPlaces`], [`RankingError::UnknownObjective`], and
    /// [`RankingError::GainIsCost`] where both are one objective.
    pub fn new(
        k: usize,
        objectives: usize,
        swept: usize,
        gain: usize,
    ) -> Result<Self, RankingError> {
        for (what, objective) in [("the sought weight", swept), ("the gain", gain)] {
            if objective >= objectives {
                return Err(RankingError::UnknownObjective {
                    what,
                    objective,
                    objectives,
                });
            }
        }
        if swept == gain {
            return Err(RankingError::GainIsCost { objective: gain });
        }
        let exposure = |objective| Metric::Predicted {
            objective,
            discount: Discount::Flat,
        };
        let sweep = Sweep::new(Plan {
            k,
            weights: vec![1.0; objectives],
            swept,
            sign: Sign::Negative,
            reference: 0.0,
            metrics: vec![exposure(gain), exposure(swept)],
        })?;
        Ok(Self {
            sweep,
            gain,
            swept,
            free: 0,
        })
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.sweep.requests()
    }

    /// Adds one request: per objective, the probability of each candidate, in [0, 1], in ascending
    /// order of the candidates' ids, and the weights that the request gets. Where `free`, the
    /// sought weight takes the place of its own.
    ///
    /// # Errors
    /// [`RankingError`] names the request by its number; it is not added.
    /// [`RankingError::GainWeight`] where a free request's weight of the gain is not above 0: then
    /// more cost would not buy gain.
    pub fn push(
        &mut self,
        probabilities: &[&[f64]],
        weights: &[f64],
        free: bool,
    ) -> Result<(), RankingError> {
        self.push_until(probabilities, weights, free, &|| false)
    }

    /// The same, for a caller who may lose interest: `stop` is asked every so often and ends the
    /// computation when it returns true.
    ///
    /// A request of n candidates costs at most n·k steps of k operations each, and n log n when the
    /// page of k places shows all of them.
    ///
    /// # Errors
    /// [`RankingError::Stopped`], after which the solver cannot be used any more; and as
    /// [`push`](Self::push).
    pub fn push_until(
        &mut self,
        probabilities: &[&[f64]],
        weights: &[f64],
        free: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), RankingError> {
        let request = self.requests();
        let objectives = self.sweep.plan().weights.len();
        if weights.len() != objectives {
            return Err(RankingError::Length {
                request,
                what: "`weights` (one per objective)",
                found: weights.len(),
                expected: objectives,
            });
        }
        let read = weights.iter().enumerate();
        let mut read = read.filter(|&(objective, _)| !(free && objective == self.swept));
        if let Some((_, &value)) = read.find(|(_, weight)| !weight.is_finite()) {
            return Err(RankingError::OutOfRange {
                what: "a weight of a replayed request",
                value,
                range: "finite",
            });
        }
        let replayed = Request {
            unit: 0,
            probabilities,
            realised: &[],
        };
        if !free {
            return self.sweep.push_constant(weights, &replayed);
        }
        let weight = weights[self.gain];
        if weight <= 0.0 {
            return Err(RankingError::GainWeight { request, weight });
        }
        let candidates = probabilities.first().map_or(0, |column| column.len());
        if candidates <= self.sweep.plan().k {
            // A page that shows all candidates has the same exposures under every weight.
            self.sweep.push_constant(weights, &replayed)?;
        } else {
            self.sweep.push_under(weights, &replayed, stop)?;
        }
        self.free += 1;
        Ok(())
    }

    /// The weight, from 0 downwards and `within` (least, most), that reaches the goal: of all
    /// intervals that keep the limit the one with the best of the other, and of equal ones the one
    /// nearest to 0. Where `within` cuts an interval, the part inside it counts.
    ///
    /// # Errors
    /// [`RankingError::BudgetOutOfReach`] and [`RankingError::GainOutOfReach`] say what can be
    /// reached; [`RankingError::NoWeight`] when no weight of at most 0 lies within;
    /// [`RankingError::NothingFree`], [`RankingError::NoRequests`], and
    /// [`RankingError::OutOfRange`] for a goal that is none.
    pub fn solve(&self, goal: Goal, within: (f64, f64)) -> Result<Solved, RankingError> {
        goal.check()?;
        if self.requests() == 0 {
            return Err(RankingError::NoRequests);
        }
        if self.free == 0 {
            return Err(RankingError::NothingFree {
                objective: self.swept,
            });
        }
        let bounds = ((-within.1).max(0.0) + 0.0, -within.0);
        let mut search = Search::new(goal, bounds);
        self.sweep
            .each_step(|(low, high), values| search.look(low, high, [values[0], values[1]]));
        search.answer(within)
    }
}

impl Goal {
    fn check(self) -> Result<(), RankingError> {
        let refuse = |what, value, range| Err(RankingError::OutOfRange { what, value, range });
        let share = |value: f64| (0.0..=1.0).contains(&value);
        match self {
            Self::Budget(budget) if !share(budget) => refuse("the budget", budget, "from 0 to 1"),
            Self::AtLeast(gain) if !share(gain) => refuse("the least gain", gain, "from 0 to 1"),
            Self::Rate(rate) if !(rate.is_finite() && rate >= 0.0) => {
                refuse("the exchange rate", rate, "finite and at least 0")
            }
            _ => Ok(()),
        }
    }

    /// How good it is, where the limit is kept.
    fn worth(self, [gain, cost]: [f64; 2]) -> Option<f64> {
        match self {
            Self::Budget(budget) => (cost <= budget + ROUNDING).then_some(gain),
            Self::AtLeast(least) => (gain >= least - ROUNDING).then_some(-cost),
            Self::Rate(rate) => Some(gain - rate * cost),
        }
    }

    /// What is as near to the limit as can be where it cannot be kept: more is nearer.
    fn nearness(self, [gain, cost]: [f64; 2]) -> f64 {
        match self {
            Self::Budget(_) => -cost,
            Self::AtLeast(_) | Self::Rate(_) => gain,
        }
    }
}

/// A step that a weight can rest on, in x.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// What it is the best at.
    worth: f64,
    /// The whole step.
    step: (f64, f64),
    /// The part of it that is within and well away from the breakpoints.
    part: (f64, f64),
    values: [f64; 2],
}

/// Looks at one step after the other, from 0 on.
#[derive(Debug)]
struct Search {
    goal: Goal,
    /// Of x.
    bounds: (f64, f64),
    best: Option<Found>,
    nearest: Option<Found>,
    /// The point 0, with what holds there.
    zero: Option<[f64; 2]>,
}

impl Search {
    fn new(goal: Goal, bounds: (f64, f64)) -> Self {
        Self {
            goal,
            bounds,
            best: None,
            nearest: None,
            zero: None,
        }
    }

    fn look(&mut self, low: f64, high: f64, values: [f64; 2]) {
        if self.zero.take() == Some(values) {
            // No page changes right after 0: the point belongs to this interval.
            for found in [&mut self.best, &mut self.nearest].into_iter().flatten() {
                found.step.1 = high;
            }
        }
        if high == 0.0 {
            self.zero = Some(values);
        }
        let Some(part) = self.part(low, high) else {
            return;
        };
        let keep = |kept: &mut Option<Found>, worth: f64| {
            // Only what is better: of equal ones the first is the nearest to 0.
            if kept.is_none_or(|kept| worth > kept.worth) {
                *kept = Some(Found {
                    worth,
                    step: (low, high),
                    part,
                    values,
                });
            }
        };
        if let Some(worth) = self.goal.worth(values) {
            keep(&mut self.best, worth);
        }
        keep(&mut self.nearest, self.goal.nearness(values));
    }

    /// The part of a step on which a weight can rest: within the bounds, and away from both ends by
    /// half of the least width.
    fn part(&self, low: f64, high: f64) -> Option<(f64, f64)> {
        let (least, most) = self.bounds;
        let margin = 0.5
            * MIN_WIDTH
            * if high.is_finite() {
                0.5 * (low + high)
            } else {
                low
            };
        // The last step has no end: three times its begin, and the middle is twice.
        let first = least.max(low + margin);
        let end = if high.is_finite() {
            high - margin
        } else if first > 0.0 {
            3.0 * first
        } else {
            2.0
        };
        let last = most.min(end);
        (first <= last).then_some((first, last))
    }

    fn answer(self, within: (f64, f64)) -> Result<Solved, RankingError> {
        if let Some(best) = self.best {
            return Ok(best.solved());
        }
        let Some(nearest) = self.nearest.map(Found::solved) else {
            return Err(RankingError::NoWeight {
                low: within.0,
                high: within.1,
            });
        };
        Err(match self.goal {
            Goal::Budget(budget) => RankingError::BudgetOutOfReach {
                budget,
                lowest: nearest.cost,
                weight: nearest.weight,
            },
            Goal::AtLeast(gain) | Goal::Rate(gain) => RankingError::GainOutOfReach {
                gain,
                highest: nearest.gain,
                weight: nearest.weight,
            },
        })
    }
}

impl Found {
    fn solved(self) -> Solved {
        let (first, last) = self.part;
        let x = shortest(self.part, first + 0.5 * (last - first));
        let negative = |x: f64| 0.0 - x;
        Solved {
            weight: negative(x),
            range: (negative(self.step.1), negative(self.step.0)),
            gain: self.values[0],
            cost: self.values[1],
        }
    }
}
