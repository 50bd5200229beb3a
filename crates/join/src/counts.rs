//! What a run counts: every event has exactly one fate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bins of the arrival curve: bin `i` has the delays above 2^(i−1) s and up to 2^i s.
const ARRIVAL_BINS: usize = 26;

/// The fates of events. Their sum is the number of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCounts {
    /// In the window of a candidate that was shown.
    pub joined: u64,
    /// Repetitions of an event with the same id.
    pub duplicates: u64,
    /// Their ranking or its candidate is not in the log.
    pub orphans: u64,
    /// They happened after the window.
    pub after_window: u64,
    /// They happened more than five minutes before the request.
    pub before_request: u64,
    /// They arrived when the hour of their ranking was complete.
    pub arrived_late: u64,
    /// Their candidate was not on the page and not seen.
    pub not_shown: u64,
    /// Beyond the most events of a unit on one day.
    pub cut: u64,
}

impl EventCounts {
    /// All of them, by name.
    #[must_use]
    pub fn by_name(&self) -> [(&'static str, u64); 8] {
        [
            ("joined", self.joined),
            ("duplicates", self.duplicates),
            ("orphans", self.orphans),
            ("after_window", self.after_window),
            ("before_request", self.before_request),
            ("arrived_late", self.arrived_late),
            ("not_shown", self.not_shown),
            ("cut", self.cut),
        ]
    }

    /// The number of events.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.by_name().iter().map(|(_, count)| count).sum()
    }

    fn add(&mut self, other: &Self) {
        self.joined += other.joined;
        self.duplicates += other.duplicates;
        self.orphans += other.orphans;
        self.after_window += other.after_window;
        self.before_request += other.before_request;
        self.arrived_late += other.arrived_late;
        self.not_shown += other.not_shown;
        self.cut += other.cut;
    }
}

/// What the labels of one objective are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelCounts {
    /// Rows with a label.
    pub known: u64,
    /// Rows with label 1.
    pub positives: u64,
    /// Labels that an event decided, by the time from the start of their window until the event
    /// arrived: bin `i` has the delays up to 2^i seconds.
    pub arrivals: Vec<u64>,
}

impl LabelCounts {
    pub(crate) fn arrived(&mut self, delay_ms: i64) {
        let seconds = u64::try_from(delay_ms).unwrap_or(0).div_ceil(1000).max(1);
        let bin = (seconds.next_power_of_two().ilog2() as usize).min(ARRIVAL_BINS - 1);
        self.arrivals.resize(ARRIVAL_BINS, 0);
        self.arrivals[bin] += 1;
    }

    fn add(&mut self, other: &Self) {
        self.known += other.known;
        self.positives += other.positives;
        let bins = self.arrivals.len().max(other.arrivals.len());
        self.arrivals.resize(bins, 0);
        for (own, other) in self.arrivals.iter_mut().zip(&other.arrivals) {
            *own += other;
        }
    }

    /// The arrival curve F: the share of deciding events that had arrived so many seconds after the
    /// start of their window, at each power of two until all had. Empty without such events.
    #[must_use]
    pub fn arrival_curve(&self) -> Vec<(u64, f64)> {
        let all: u64 = self.arrivals.iter().sum();
        let mut arrived = 0;
        let mut curve = Vec::new();
        for (bin, count) in self.arrivals.iter().enumerate() {
            if arrived == all {
                break;
            }
            arrived += count;
            curve.push((1_u64 << bin, arrived as f64 / all as f64));
        }
        curve
    }
}

/// What was joined, of one hour or of several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rankings.
    pub rankings: u64,
    /// Rankings with at least one event.
    pub rankings_with_events: u64,
    /// Rankings that were left out, since an earlier part has them.
    pub repeated_rankings: u64,
    /// Candidates of rankings.
    pub rows: u64,
    /// Candidates that were on the page, or seen.
    pub shown: u64,
    /// Events.
    pub events: EventCounts,
    /// Events that named only their request and found a ranking.
    pub found_by_request: u64,
    /// Events that named only their unit and found a ranking.
    pub found_by_unit: u64,
    /// Labels by objective.
    pub labels: BTreeMap<String, LabelCounts>,
}

impl Counts {
    /// Adds the counts of other hours.
    pub fn add(&mut self, other: &Self) {
        self.rankings += other.rankings;
        self.rankings_with_events += other.rankings_with_events;
        self.repeated_rankings += other.repeated_rankings;
        self.rows += other.rows;
        self.shown += other.shown;
        self.events.add(&other.events);
        self.found_by_request += other.found_by_request;
        self.found_by_unit += other.found_by_unit;
        for (objective, labels) in &other.labels {
            self.labels
                .entry(objective.clone())
                .or_default()
                .add(labels);
        }
    }

    /// The share of rankings with at least one event; `None` without rankings.
    #[must_use]
    pub fn coverage(&self) -> Option<f64> {
        (self.rankings > 0).then(|| self.rankings_with_events as f64 / self.rankings as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arrival_curve_rises_to_one() {
        let mut labels = LabelCounts::default();
        assert_eq!(labels.arrival_curve(), []);
        for delay in [0, 1_000, 1_001, 7_500, i64::MAX] {
            labels.arrived(delay);
        }
        let curve = labels.arrival_curve();
        assert_eq!(&curve[..4], &[(1, 0.4), (2, 0.6), (4, 0.6), (8, 0.8)]);
        assert_eq!(curve.last(), Some(&(1 << 25, 1.0)));
    }
}
