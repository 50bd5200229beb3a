//! Figures over several runs: medians and extremes, and the quantiles of the times of one run.

use std::time::Duration;

/// One figure over all runs. NaN without runs.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    lowest: f64,
    highest: f64,
}

impl Figure {
    /// Of one value per run.
    pub fn from_runs(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            at(half)
        } else {
            (at(half.wrapping_sub(1)) + at(half)) / 2.0
        };
        Self {
            median,
            lowest: at(0),
            highest: at(values.len().wrapping_sub(1)),
        }
    }

    /// As a cell of a table: median (lowest–highest).
    pub fn cell(&self, digits: usize) -> String {
        let Self {
            median,
            lowest,
            highest,
        } = self;
        format!("{median:.digits$} ({lowest:.digits$}–{highest:.digits$})")
    }
}

/// The median of one value per run.
pub fn median(values: &[f64]) -> f64 {
    Figure::from_runs(values.iter().copied()).median
}

/// The 50th and the 99th percentile of times, in milliseconds, by the nearest rank. NaN without
/// times.
pub fn p50_and_p99(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [0.5, 0.99].map(|share| {
        let rank = (times.len() as f64 * share).ceil() as usize;
        let time = times.get(rank.max(1) - 1);
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_and_extremes() {
        let figure = Figure::from_runs([3.0, 1.0, 2.0]);
        assert_eq!(figure.cell(1), "2.0 (1.0–3.0)");
        let figure = Figure::from_runs([4.0, 1.0]);
        assert_eq!(figure.median, 2.5);
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(p50_and_p99(times), [100.0, 198.0]);
        assert_eq!(p50_and_p99(vec![Duration::from_millis(7)]), [7.0, 7.0]);
    }
}
