//! Exact curves: one value of each metric for every interval of the swept weight in which no page
//! changes.

use super::plan::Metric;
use crate::steps::Merged;

/// Step functions of x, the size of the swept weight.
///
/// There are `breakpoints().len() + 1` steps. Step 0 is the point x = 0 itself. Step i ≥ 1 is the
/// open interval from `breakpoints()[i - 1]` to the next breakpoint; the first of these begins at
/// 0, and the last one has no end: with two objectives it is the limit α → 0, the order by bait
/// alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    pub(super) metrics: Vec<Metric>,
    pub(super) steps: Merged,
}

impl Curves {
    /// What the columns are.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// Where some page changes, ascending and distinct; the first is 0, whether or not a page
    /// changes there.
    pub fn breakpoints(&self) -> &[f64] {
        &self.steps.breakpoints
    }

    /// The value of a metric, by its position in [`Self::metrics`], on each step. NaN where it is
    /// not defined.
    pub fn values(&self, metric: usize) -> &[f64] {
        &self.steps.values[metric]
    }

    /// The step that holds at x ≥ 0: step 0 at 0; at any other breakpoint, where candidates tie,
    /// the step after it.
    pub fn step_at(&self, x: f64) -> usize {
        if x <= 0.0 {
            0
        } else {
            self.breakpoints()
                .partition_point(|&breakpoint| breakpoint <= x)
        }
    }

    /// The value of a metric at x ≥ 0.
    pub fn value_at(&self, metric: usize, x: f64) -> f64 {
        self.values(metric)[self.step_at(x)]
    }

    /// The ends of a step; the last one's upper end is ∞.
    pub fn interval(&self, step: usize) -> (f64, f64) {
        let end = |at: usize| self.breakpoints().get(at).copied().unwrap_or(f64::INFINITY);
        (end(step.saturating_sub(1)), end(step))
    }

    /// A point inside a step that is safe to use: the middle of an interval at least `min_width`
    /// times its middle wide, 0 for step 0, and twice the last breakpoint (1 where that is 0) for
    /// the last step. Intervals can be 1e-12 wide; no weight should rest on one.
    pub fn midpoint(&self, step: usize, min_width: f64) -> Option<f64> {
        let (low, high) = self.interval(step);
        if step == 0 {
            return Some(0.0);
        }
        if high == f64::INFINITY {
            return Some(if low > 0.0 { 2.0 * low } else { 1.0 });
        }
        let middle = low + 0.5 * (high - low);
        (high - low >= min_width * middle).then_some(middle)
    }

    /// At most `count` points for drawing and for the bootstrap, ascending: 0, a point beyond the
    /// last breakpoint, and between them midpoints of intervals whose breakpoints are evenly spread
    /// by rank. Fewer where there are fewer intervals that are wide enough.
    pub fn grid(&self, count: usize, min_width: f64) -> Vec<f64> {
        let last = self.breakpoints().len();
        let count = count.max(2).min(last + 1);
        let mut grid: Vec<f64> = (0..count)
            .filter_map(|i| {
                let from = i * last / (count - 1);
                let to = ((i + 1) * last / (count - 1)).min(last + 1).max(from + 1);
                (from..to).find_map(|step| self.midpoint(step, min_width))
            })
            .collect();
        grid.dedup();
        grid
    }
}
