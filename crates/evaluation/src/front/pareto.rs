//! Fronts: which operating points are worth choosing, and how good a set of them is.
//!
//! Every point has a gain (more is better: engagement) and a cost (less is better: bait exposure).

use counterweight_ranking::sweep::Curves;

/// An operating point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// More is better.
    pub gain: f64,
    /// Less is better.
    pub cost: f64,
    /// The weight that gives it: λ, for two objectives.
    pub x: f64,
}

/// The points that no other point dominates: none has both a gain at least as high and a cost at
/// least as low, unless it is equal in both, and then the one that came first stands for both. Cost
/// and gain ascend strictly.
#[derive(Debug, Clone, PartialEq)]
pub struct Front {
    points: Vec<Point>,
}

impl Front {
    /// The front of any points. Points with a NaN are left out.
    ///
    /// ```
    /// use counterweight_evaluation::front::{Front, Point};
    ///
    /// let point = |gain, cost, x| Point { gain, cost, x };
    /// let dominated = point(0.2, 0.2, 1.0); // gains less than the next one and costs more
    /// let front = Front::from_points(vec![point(0.5, 0.3, 0.0), dominated, point(0.4, 0.1, 2.0)]);
    /// assert_eq!(front.points().len(), 2);
    /// assert_eq!(front.within_budget(0.2).map(|point| point.x), Some(2.0));
    /// assert_eq!(front.at_least(0.45).map(|point| point.x), Some(0.0));
    /// ```
    pub fn from_points(mut points: Vec<Point>) -> Self {
        points.retain(|point| !point.gain.is_nan() && !point.cost.is_nan());
        // Swept curves come with costs that fall: a stable sort finds the run and only turns it
        // round.
        points.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(b.gain.total_cmp(&a.gain)));
        let mut best = f64::NEG_INFINITY;
        points.retain(|point| {
            let better = point.gain > best;
            best = best.max(point.gain);
            better
        });
        Self { points }
    }

    /// The front of two curves, by their positions in [`Curves::metrics`]. Each interval gives one
    /// point, at its [`Curves::midpoint`]; intervals narrower than `min_width` times their middle
    /// give none.
    pub fn from_curves(curves: &Curves, gain: usize, cost: usize, min_width: f64) -> Self {
        let (gains, costs) = (curves.values(gain), curves.values(cost));
        let points = (0..gains.len()).rev().filter_map(|step| {
            Some(Point {
                gain: gains[step],
                cost: costs[step],
                x: curves.midpoint(step, min_width)?,
            })
        });
        Self::from_points(points.collect())
    }

    /// Cost and gain ascending.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The largest gain that costs at most `budget`; the cheapest point with it. `None` where every
    /// point costs more. O(log n).
    pub fn within_budget(&self, budget: f64) -> Option<Point> {
        let within = self.points.partition_point(|point| point.cost <= budget);
        within.checked_sub(1).map(|at| self.points[at])
    }

    /// The lowest cost that gains at least `gain`. `None` where no point does. O(log n).
    pub fn at_least(&self, gain: f64) -> Option<Point> {
        let at = self.points.partition_point(|point| point.gain < gain);
        self.points.get(at).copied()
    }

    /// The point with the largest gain − rate · cost, for a rate ≥ 0 (gains given up per unit of
    /// cost); of equal ones the cheapest.
    pub fn at_rate(&self, rate: f64) -> Option<Point> {
        let worth = |point: &Point| point.gain - rate * point.cost;
        self.points.iter().copied().reduce(|best, point| {
            if worth(&point) > worth(&best) {
                point
            } else {
                best
            }
        })
    }

    /// The points on the upper convex hull: those that are best at some rate, ends included. Cost
    /// and gain ascending, slopes falling strictly.
    pub fn hull(&self) -> Vec<Point> {
        let mut hull: Vec<Point> = Vec::new();
        for &point in &self.points {
            while let [.., a, b] = hull[..]
                && (b.gain - a.gain) * (point.cost - b.cost)
                    <= (point.gain - b.gain) * (b.cost - a.cost)
            {
                hull.pop();
            }
            hull.push(point);
        }
        hull
    }
}

/// The area that some points dominate, within a gain above and a cost below those of `reference`
/// (gain, cost): for equal references, the larger the better (`pymoo.indicators.hv.HV` of (−gain,
/// cost)). Points beyond the reference add nothing; NaN adds nothing.
pub fn hypervolume(points: &[Point], reference: (f64, f64)) -> f64 {
    let (least_gain, most_cost) = reference;
    let within = points
        .iter()
        .copied()
        .filter(|point| point.gain > least_gain && point.cost < most_cost);
    let front = Front::from_points(within.collect());
    let mut area = 0.0;
    let mut gain = least_gain;
    for point in front.points {
        area += (point.gain - gain) * (most_cost - point.cost);
        gain = point.gain;
    }
    area
}

/// Inverted generational distance: the mean, over the points of `reference`, of the Euclidean
/// distance to the nearest of `points` in (gain, cost) as they are, not scaled
/// (`pymoo.indicators.igd.IGD(reference)(points)`); 0 is best. `None` where either is empty.
pub fn igd(points: &[Point], reference: &[Point]) -> Option<f64> {
    if points.is_empty() || reference.is_empty() {
        return None;
    }
    let distance = |a: &Point, b: &Point| (a.gain - b.gain).hypot(a.cost - b.cost);
    let nearest = |to: &Point| {
        points
            .iter()
            .map(|point| distance(point, to))
            .fold(f64::INFINITY, f64::min)
    };
    Some(reference.iter().map(nearest).sum::<f64>() / reference.len() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(rows: &[(u8, u8)]) -> Vec<Point> {
        let point = |(&(gain, cost), x)| Point {
            gain: f64::from(gain),
            cost: f64::from(cost),
            x: f64::from(x),
        };
        rows.iter().zip(0_u16..).map(point).collect()
    }

    fn dominates(a: &Point, b: &Point) -> bool {
        a.gain >= b.gain && a.cost <= b.cost && (a.gain > b.gain || a.cost < b.cost)
    }

    #[test]
    fn nothing_gives_nothing() {
        let front = Front::from_points(vec![Point {
            gain: f64::NAN,
            cost: 0.0,
            x: 0.0,
        }]);
        assert!(front.points().is_empty() && front.hull().is_empty());
        assert_eq!(
            (
                front.within_budget(1.0),
                front.at_least(0.0),
                front.at_rate(1.0)
            ),
            (None, None, None)
        );
        assert_eq!(hypervolume(&[], (0.0, 1.0)), 0.0);
        assert_eq!(igd(&[], &points(&[(1, 1)])), None);
    }

    proptest! {
        #[test]
        fn the_front_is_what_nothing_dominates(rows in prop::collection::vec((0u8..12, 0u8..12), 1..40), ask in 0u8..12, rate in 0.0..3.0f64) {
            let all = points(&rows);
            let front = Front::from_points(all.clone());
            for point in &all {
                let dominated = all.iter().any(|other| dominates(other, point));
                let there = front.points().iter().any(|p| (p.gain, p.cost) == (point.gain, point.cost));
                prop_assert_eq!(there, !dominated);
            }
            prop_assert!(front.points().windows(2).all(|p| p[0].cost < p[1].cost && p[0].gain < p[1].gain));

            let ask = f64::from(ask);
            let within = all.iter().filter(|p| p.cost <= ask).map(|p| p.gain).reduce(f64::max);
            prop_assert_eq!(front.within_budget(ask).map(|p| p.gain), within);
            let cheapest = all.iter().filter(|p| p.gain >= ask).map(|p| p.cost).reduce(f64::min);
            prop_assert_eq!(front.at_least(ask).map(|p| p.cost), cheapest);

            let worth = |p: &Point| p.gain - rate * p.cost;
            let best = all.iter().map(worth).fold(f64::NEG_INFINITY, f64::max);
            prop_assert_eq!(front.at_rate(rate).map(|p| worth(&p)), Some(best));
            let on_hull = front.hull().iter().map(worth).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((on_hull - best).abs() < 1e-12);
        }

        #[test]
        fn the_hypervolume_is_the_area_of_the_cells_that_are_dominated(rows in prop::collection::vec((0u8..12, 0u8..12), 0..20)) {
            let all = points(&rows);
            let cells = (0..10).flat_map(|gain| (0..10).map(move |cost| (f64::from(gain), f64::from(cost))));
            let area = cells.filter(|&(gain, cost)| all.iter().any(|p| p.gain >= gain + 1.0 && p.cost <= cost)).count() as f64;
            // Within gain 0 … 10 and cost 0 … 10; gains beyond 10 count too.
            let all: Vec<Point> = all.into_iter().map(|p| Point { gain: p.gain.min(10.0), ..p }).collect();
            prop_assert_eq!(hypervolume(&all, (0.0, 10.0)), area);
        }
    }
}
