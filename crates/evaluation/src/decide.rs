//! The rule by which a weight is recommended, on curves and their replicates alone.
//!
//! A point is feasible when it meets the limit even at the unfavourable end of its simultaneous
//! band. The rule finds the best feasible point, looks at the feasible points within one paired
//! standard error of it, and takes the most cautious: the one with the lowest cost, or, for a limit
//! on the gain, with the highest gain. The best of 10⁵ intervals alone would be chosen by noise.

use counterweight_ranking::solve::Goal;
use counterweight_statistics::{Band, deviation};

/// One curve at the points of a grid, with its replicates.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// The estimate at each point.
    pub(crate) estimate: Vec<f64>,
    /// The replicates, each with a value at each point.
    pub(crate) replicates: Vec<Vec<f64>>,
    /// The simultaneous band at each point.
    pub(crate) low: Vec<f64>,
    pub(crate) high: Vec<f64>,
}

impl Drawn {
    /// With a band of which the largest deviation, in standard errors, of a share `level` of the
    /// replicates stays within.
    pub(crate) fn new(estimate: Vec<f64>, replicates: Vec<Vec<f64>>, level: f64) -> Self {
        let band = Band::new(&estimate, &replicates, level);
        Self {
            low: band.low,
            high: band.high,
            estimate,
            replicates,
        }
    }
}

/// The evidence: gain and cost on the same points with the same draws.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    /// The points, λ, ascending.
    pub(crate) at: Vec<f64>,
    pub(crate) gain: Drawn,
    pub(crate) cost: Drawn,
}

/// What the rule says: a point, and the neighbours that do not differ from it significantly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) choice: usize,
    /// First and last of the feasible points that do not differ significantly from the best.
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// Applies the rule; the error says why no weight can be recommended. A point differs from
/// the best where it falls short by more than `errors` paired standard errors.
pub(crate) fn decide(evidence: &Evidence, goal: Goal, errors: f64) -> Result<Decision, String> {
    let Evidence { at, gain, cost } = evidence;
    let usable = |i: usize| gain.estimate[i].is_finite() && cost.estimate[i].is_finite();
    let feasible: Vec<usize> = (0..at.len())
        .filter(|&i| {
            usable(i)
                && match goal {
                    Goal::Budget(most) => cost.high[i] <= most,
                    Goal::AtLeast(least) => gain.low[i] >= least,
                    Goal::Rate(_) => true,
                }
        })
        .collect();
    // What the best has most of; the utility in one replicate, or on the log itself where there is
    // none.
    let utility = |i: usize, replicate: Option<usize>| {
        let of = |drawn: &Drawn| match replicate {
            None => drawn.estimate[i],
            Some(replicate) => drawn.replicates[replicate][i],
        };
        match goal {
            Goal::Budget(_) => of(gain),
            Goal::AtLeast(_) => -of(cost),
            Goal::Rate(rate) => of(gain) - rate * of(cost),
        }
    };
    let Some(best) = first_best(&feasible, |i| utility(i, None)) else {
        return Err(infeasible(evidence, goal, usable));
    };
    let within = |i: usize, errors: f64| {
        let short = utility(best, None) - utility(i, None);
        let differences = (0..gain.replicates.len())
            .map(|r| utility(best, Some(r)) - utility(i, Some(r)))
            .filter(|difference| difference.is_finite());
        short <= errors * deviation(differences)
    };
    let (mut near, mut range) = (Vec::new(), (best, best));
    for i in feasible {
        if within(i, 1.0) {
            near.push(i);
        }
        if within(i, errors) {
            range = (range.0.min(i), range.1.max(i));
        }
    }
    let cautious = |i: usize| match goal {
        Goal::AtLeast(_) => gain.estimate[i],
        Goal::Budget(_) | Goal::Rate(_) => -cost.estimate[i],
    };
    let choice = first_best(&near, cautious).unwrap_or(best);
    Ok(Decision {
        choice,
        first: range.0.min(choice),
        last: range.1.max(choice),
    })
}

/// The first of the indices at which a value is highest.
fn first_best(among: &[usize], value: impl Fn(usize) -> f64) -> Option<usize> {
    among
        .iter()
        .copied()
        .reduce(|best, i| if value(i) > value(best) { i } else { best })
}

fn infeasible(evidence: &Evidence, goal: Goal, usable: impl Fn(usize) -> bool) -> String {
    let Evidence { at, gain, cost } = evidence;
    let points: Vec<usize> = (0..at.len()).filter(|&i| usable(i)).collect();
    match goal {
        Goal::Budget(most) => match first_best(&points, |i| -cost.high[i]) {
            Some(i) => format!(
                "no λ keeps the upper bound of the cost at or below {most}: the nearest is λ = {:.4}, where the estimate is {:.4} and its upper bound {:.4}",
                at[i], cost.estimate[i], cost.high[i]
            ),
            None => nothing(),
        },
        Goal::AtLeast(least) => match first_best(&points, |i| gain.low[i]) {
            Some(i) => format!(
                "no λ keeps the lower bound of the gain at or above {least}: the nearest is λ = {:.4}, where the estimate is {:.4} and its lower bound {:.4}",
                at[i], gain.estimate[i], gain.low[i]
            ),
            None => nothing(),
        },
        Goal::Rate(_) => nothing(),
    }
}

fn nothing() -> String {
    "gain and cost are known at no λ".to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Curves at λ = 0, 1, 2, 3 with replicates that shift them as a whole (gain) and shake each
    /// point (cost).
    fn evidence(gain: [f64; 4], cost: [f64; 4], half_width: f64) -> Evidence {
        let drawn = |values: [f64; 4], shifts: [f64; 2]| Drawn {
            estimate: values.to_vec(),
            replicates: shifts
                .iter()
                .map(|shift| values.iter().map(|value| value + shift).collect())
                .collect(),
            low: values.iter().map(|value| value - half_width).collect(),
            high: values.iter().map(|value| value + half_width).collect(),
        };
        Evidence {
            at: vec![0.0, 1.0, 2.0, 3.0],
            gain: drawn(gain, [-0.01, 0.01]),
            cost: drawn(cost, [-0.01, 0.01]),
        }
    }

    #[test]
    fn a_budget_is_kept_by_the_upper_bound_and_not_by_the_estimate() {
        let evidence = evidence([0.5, 0.48, 0.4, 0.3], [0.3, 0.2, 0.1, 0.05], 0.02);
        let choice =
            |budget| decide(&evidence, Goal::Budget(budget), 1.96).map(|decision| decision.choice);
        assert_eq!(choice(0.33), Ok(0));
        assert_eq!(choice(0.31), Ok(1), "0.3 + 0.02 is above 0.31");
        assert_eq!(choice(0.2), Ok(2));
        let why = choice(0.01).unwrap_err();
        assert!(why.contains("nearest is λ = 3.0000"), "{why}");
    }

    #[test]
    fn of_points_that_do_not_differ_the_cheapest_is_chosen() {
        let mut evidence = evidence([0.5, 0.499, 0.498, 0.3], [0.3, 0.2, 0.1, 0.05], 0.0);
        // A replicate in which the second and third point beat the first: differences of 0.02 are
        // noise.
        evidence.gain.replicates = vec![vec![0.5, 0.52, 0.52, 0.3], vec![0.52, 0.49, 0.49, 0.3]];
        let decision = decide(&evidence, Goal::Budget(1.0), 1.96).unwrap();
        assert_eq!(
            decision,
            Decision {
                choice: 2,
                first: 0,
                last: 2
            }
        );
    }

    #[test]
    fn the_other_goals() {
        let evidence = evidence([0.5, 0.48, 0.4, 0.3], [0.3, 0.2, 0.1, 0.05], 0.0);
        let choice = |goal| decide(&evidence, goal, 1.96).unwrap().choice;
        assert_eq!(choice(Goal::AtLeast(0.45)), 1);
        assert!(decide(&evidence, Goal::AtLeast(0.6), 1.96).is_err());
        assert_eq!(choice(Goal::Rate(0.1)), 0);
        assert_eq!(choice(Goal::Rate(0.5)), 1);
        assert_eq!(choice(Goal::Rate(100.0)), 3);
    }
}
