//! Fronts of a few points: hulls, what they gain at a cost, and what lies between two of them.
//!
//! Any point on the line between two operating points can be had: give each to its share of the
//! requests. So a hull is a curve, and two of them are compared at equal cost.

use crate::front::{Front, Point};

/// Points at which distances between hulls are taken.
const LEVELS: usize = 101;

/// The upper hull of some points, cost and gain ascending.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hull(pub(super) Vec<Point>);

impl Hull {
    pub(super) fn new(points: Vec<Point>) -> Self {
        Self(Front::from_points(points).hull())
    }

    /// The gain at a cost. Dearer than the dearest point nothing more is gained; cheaper than the
    /// cheapest nothing is known, which is NaN: the first line may be as steep as a wall.
    pub(super) fn gain(&self, cost: f64) -> f64 {
        let [first, rest @ ..] = self.0.as_slice() else {
            return f64::NAN;
        };
        if cost < first.cost {
            return f64::NAN;
        }
        let Some(last) = rest.last() else {
            return first.gain;
        };
        if cost >= last.cost {
            return last.gain;
        }
        let right = rest.partition_point(|point| point.cost < cost);
        let (a, b) = (&self.0[right], &self.0[right + 1]);
        a.gain + (b.gain - a.gain) * (cost - a.cost) / (b.cost - a.cost)
    }

    /// ∫ gain over a range of costs: the area under the hull, exactly, since it is a line between
    /// its points.
    pub(super) fn area(&self, low: f64, high: f64) -> f64 {
        let mut at = vec![low];
        at.extend(
            self.0
                .iter()
                .map(|point| point.cost)
                .filter(|cost| (low..high).contains(cost) && *cost > low),
        );
        at.push(high);
        at.windows(2)
            .map(|ends| 0.5 * (ends[1] - ends[0]) * (self.gain(ends[0]) + self.gain(ends[1])))
            .sum()
    }

    /// The mean of this hull's gain less another's, over those costs of a range that both reach;
    /// NaN where there are none.
    pub(super) fn mean_lead(&self, other: &Self, (low, high): (f64, f64)) -> f64 {
        let (from, to) = self.shared(other).unwrap_or((high, low));
        let (from, to) = (from.max(low), to.min(high));
        if from < to {
            (self.area(from, to) - other.area(from, to)) / (to - from)
        } else {
            f64::NAN
        }
    }

    /// Evenly spaced points of the hull over a range of costs.
    pub(super) fn levels(&self, low: f64, high: f64) -> Vec<Point> {
        let cost = |i: usize| low + (high - low) * i as f64 / (LEVELS - 1) as f64;
        (0..LEVELS)
            .map(|i| Point {
                gain: self.gain(cost(i)),
                cost: cost(i),
                x: f64::NAN,
            })
            .collect()
    }

    /// The costs that both hulls reach by their points; `None` where these do not overlap.
    pub(super) fn shared(&self, other: &Self) -> Option<(f64, f64)> {
        let (a, b) = (self.0.first()?, other.0.first()?);
        let (c, d) = (self.0.last()?, other.0.last()?);
        let (low, high) = (a.cost.max(b.cost), c.cost.min(d.cost));
        (low < high).then_some((low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hull(points: &[(f64, f64)]) -> Hull {
        let point = |&(cost, gain)| Point { gain, cost, x: 0.0 };
        Hull::new(points.iter().map(point).collect())
    }

    #[test]
    fn a_hull_is_a_line_between_its_points() {
        // (0.2, 0.5) lies below the line from (0.1, 0.4) to (0.3, 0.7); (0.4, 0.6) gains less for
        // more.
        let hull = hull(&[(0.1, 0.4), (0.2, 0.5), (0.3, 0.7), (0.4, 0.6)]);
        assert_eq!(hull.0.len(), 2);
        assert!((hull.gain(0.2) - 0.55).abs() < 1e-15);
        assert_eq!((hull.gain(0.3), hull.gain(0.9)), (0.7, 0.7));
        assert!(hull.gain(0.0).is_nan(), "nothing is that cheap");
        assert!((hull.area(0.1, 0.3) - 0.11).abs() < 1e-15);
        assert!((hull.area(0.1, 0.5) - 0.25).abs() < 1e-15);
        assert!((hull.area(0.2, 0.3) - 0.0625).abs() < 1e-15);
    }

    #[test]
    fn hulls_share_what_both_reach() {
        let (a, b) = (
            hull(&[(0.1, 0.4), (0.3, 0.7)]),
            hull(&[(0.2, 0.4), (0.5, 0.9)]),
        );
        assert_eq!(a.shared(&b), Some((0.2, 0.3)));
        assert_eq!(a.shared(&hull(&[(0.3, 1.0)])), None);
        assert_eq!(a.shared(&hull(&[])), None);
        // a: 0.55 to 0.7; b: 0.4 to 0.4 + 0.5/3.
        let lead = a.mean_lead(&b, (0.0, 1.0));
        assert!(
            (lead - (0.625 - (0.4 + 0.25 / 3.0))).abs() < 1e-12,
            "{lead}"
        );
        assert!(a.mean_lead(&b, (0.35, 1.0)).is_nan());
        // A first line that is all but vertical leads nowhere.
        let wall = hull(&[(0.1, 0.4), (0.1 + 1e-15, 0.5), (0.3, 0.7)]);
        assert!(wall.mean_lead(&a, (0.0, 1.0)).abs() < 0.1);
        let levels = a.levels(0.2, 0.3);
        assert_eq!(
            (levels.len(), levels[0].cost, levels[100].cost),
            (101, 0.2, 0.3)
        );
    }
}
