//! How far the curves could be off because of the requests that happened to be sampled: a Poisson
//! bootstrap over users.
//!
//! Each replicate gives every unit a Poisson(1) count and adds up the steps that many times:
//! O(steps), nothing is ranked again. A unit's count depends on seed, replicate and unit only, so
//! that two systems that saw the same users are drawn alike (paired), and threads change no bit.
//! Intervals from here cover the sampling of units: not the error of the models, and not how users
//! would respond.

use std::collections::HashMap;

use counterweight_statistics::{Band, poisson, splitmix64, unit_interval};
use rayon::prelude::*;

use super::{collect::Sweep, columns::Columns, plan::Metric};
use crate::{error::RankingError, steps::Track};

/// Values of every metric at some points, for the log as it is and for each replicate.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    metrics: Vec<Metric>,
    at: Vec<f64>,
    seed: u64,
    units: u64,
    /// Points × metrics, metric by metric.
    estimate: Vec<f64>,
    /// The same per replicate.
    drawn: Vec<Vec<f64>>,
}

impl Sweep {
    /// Draws the curves anew `replicates` times, read at the points `at` (each ≥ 0; 0 is the point
    /// 0 itself, and each other point represents the interval that [`super::Curves::step_at`]
    /// gives). Costs O(replicates · steps).
    ///
    /// # Errors
    /// [`RankingError::NoRequests`], and [`RankingError::OutOfRange`] for a point that is negative
    /// or not a number.
    pub fn bootstrap(
        &self,
        at: &[f64],
        replicates: usize,
        seed: u64,
    ) -> Result<Replicates, RankingError> {
        if self.requests == 0 {
            return Err(RankingError::NoRequests);
        }
        if let Some(&value) = at.iter().find(|x| x.is_nan() || **x < 0.0) {
            return Err(RankingError::OutOfRange {
                what: "a point of the bootstrap",
                value,
                range: "at least 0",
            });
        }
        let mut order: Vec<usize> = (0..at.len()).collect();
        order.sort_by(|&a, &b| at[a].total_cmp(&at[b]));
        let sorted: Vec<f64> = order.iter().map(|&point| at[point]).collect();
        let tracks: Vec<Track<'_, i64>> = self
            .blocks
            .iter()
            .flat_map(|block| block.tracks())
            .collect();
        let cells = Cells::new(&tracks, &sorted, &self.columns);
        let value = |replicate: Option<u64>| {
            let sums = cells.sums(&tracks, |unit| {
                replicate.map_or(1, |replicate| count(seed, replicate, unit))
            });
            cells.values(&sums, &order)
        };
        let units: HashMap<u64, ()> = tracks.iter().map(|track| (track.unit, ())).collect();
        // One number for the set of units, independent of their order.
        let units = units
            .keys()
            .fold(0, |sum, &unit| splitmix64(unit).wrapping_add(sum));
        Ok(Replicates {
            metrics: self.plan.metrics.clone(),
            at: at.to_vec(),
            seed,
            units,
            estimate: value(None),
            drawn: (0..replicates as u64)
                .into_par_iter()
                .map(|replicate| value(Some(replicate)))
                .collect(),
        })
    }
}

/// Which steps come before which point.
struct Cells<'a> {
    columns: &'a Columns,
    points: usize,
    /// Per request and step, the first point that feels it.
    cells: Vec<Vec<u32>>,
}

impl<'a> Cells<'a> {
    fn new(tracks: &[Track<'_, i64>], sorted: &[f64], columns: &'a Columns) -> Self {
        let first = |&x: &f64| {
            // The step at 0 is the one from the point 0 to the interval after it.
            sorted.partition_point(|&point| point < x || point <= 0.0) as u32
        };
        let cells = tracks
            .par_iter()
            .map(|track| track.x.iter().map(first).collect());
        Self {
            columns,
            points: sorted.len(),
            cells: cells.collect(),
        }
    }

    /// A row of sums per point.
    fn sums(&self, tracks: &[Track<'_, i64>], count: impl Fn(u64) -> u32) -> Vec<i128> {
        let (moving, row) = (self.columns.moving(), self.columns.all());
        let mut start = vec![0_i128; row];
        let mut changes = vec![0_i128; (self.points + 1) * moving];
        for (track, cells) in tracks.iter().zip(&self.cells) {
            let count = i128::from(count(track.unit));
            if count == 0 {
                continue;
            }
            for (sum, &value) in start.iter_mut().zip(track.start) {
                *sum += count * i128::from(value);
            }
            for (deltas, &cell) in track.deltas.chunks_exact(moving.max(1)).zip(cells) {
                let sums = &mut changes[cell as usize * moving..][..moving];
                for (sum, &delta) in sums.iter_mut().zip(deltas) {
                    *sum += count * i128::from(delta);
                }
            }
        }
        let mut rows = Vec::with_capacity(self.points * row);
        for change in changes.chunks_exact(moving.max(1)).take(self.points) {
            start
                .iter_mut()
                .zip(change)
                .for_each(|(sum, change)| *sum += change);
            rows.extend_from_slice(&start);
        }
        rows
    }

    /// Metric by metric, the points in the caller's order.
    fn values(&self, rows: &[i128], order: &[usize]) -> Vec<f64> {
        let mut values = vec![f64::NAN; self.columns.ratios.len() * self.points];
        for (row, &point) in rows.chunks_exact(self.columns.all()).zip(order) {
            for (metric, ratio) in self.columns.ratios.iter().enumerate() {
                values[metric * self.points + point] =
                    row[ratio.above] as f64 / row[ratio.below] as f64;
            }
        }
        values
    }
}

impl Replicates {
    /// The points, in the order in which they were given.
    pub fn points(&self) -> &[f64] {
        &self.at
    }

    /// How many replicates there are.
    pub fn len(&self) -> usize {
        self.drawn.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.drawn.is_empty()
    }

    /// A metric (by its position in the plan) on the log as it is, at each point.
    pub fn estimate(&self, metric: usize) -> &[f64] {
        &self.estimate[metric * self.at.len()..][..self.at.len()]
    }

    /// The metric in one replicate, at each point. NaN where it is not defined in it.
    pub fn values(&self, metric: usize, replicate: usize) -> &[f64] {
        &self.drawn[replicate][metric * self.at.len()..][..self.at.len()]
    }

    /// The standard deviation of a metric over the replicates in which it is defined, at each
    /// point; NaN where fewer than two are.
    pub fn standard_error(&self, metric: usize) -> Vec<f64> {
        Band::standard_errors(self.at.len(), &self.of_metric(metric))
    }

    /// The band that holds the whole curve of a metric, at all points at once, with probability
    /// `level` (0.95, say) as far as sampling goes.
    pub fn band(&self, metric: usize, level: f64) -> Band {
        Band::new(self.estimate(metric), &self.of_metric(metric), level)
    }

    /// The metric in every replicate.
    fn of_metric(&self, metric: usize) -> Vec<&[f64]> {
        let replicates = 0..self.len();
        replicates
            .map(|replicate| self.values(metric, replicate))
            .collect()
    }

    /// The differences self − other, point by point and metric by metric, each replicate with its
    /// like: a paired comparison of two systems on the same units. The points may differ (the two
    /// systems' own operating points); those of `self` are kept.
    ///
    /// # Errors
    /// [`RankingError::NotPaired`] when seed, units, or the numbers of replicates, points or
    /// metrics differ.
    pub fn minus(&self, other: &Self) -> Result<Self, RankingError> {
        for (what, left, right) in [
            ("their seeds", self.seed, other.seed),
            ("their units", self.units, other.units),
            ("their number", self.len() as u64, other.len() as u64),
            ("their points", self.at.len() as u64, other.at.len() as u64),
            (
                "their metrics",
                self.metrics.len() as u64,
                other.metrics.len() as u64,
            ),
        ] {
            if left != right {
                return Err(RankingError::NotPaired { what, left, right });
            }
        }
        let minus =
            |left: &[f64], right: &[f64]| left.iter().zip(right).map(|(l, r)| l - r).collect();
        Ok(Self {
            estimate: minus(&self.estimate, &other.estimate),
            drawn: self
                .drawn
                .iter()
                .zip(&other.drawn)
                .map(|(l, r)| minus(l, r))
                .collect(),
            ..self.clone()
        })
    }
}

/// How often a unit counts in a replicate: drawn from the three numbers alone.
fn count(seed: u64, replicate: u64, unit: u64) -> u32 {
    let of_replicate = splitmix64(splitmix64(seed).wrapping_add(replicate));
    poisson(unit_interval(splitmix64(of_replicate.wrapping_add(unit))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_follows_from_seed_replicate_and_unit_alone() {
        let counts = |seed, replicate| -> Vec<u32> {
            (0..50).map(|unit| count(seed, replicate, unit)).collect()
        };
        assert_eq!(counts(7, 3), counts(7, 3));
        assert_ne!(counts(7, 3), counts(7, 4));
        assert_ne!(counts(7, 3), counts(8, 3));
    }
}
