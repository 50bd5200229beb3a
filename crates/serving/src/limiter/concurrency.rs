//! How many requests may be in progress at once: enough to keep the server busy, and few enough
//! that none waits long inside it.
//!
//! The limit follows the latency from place to answer, in windows of a tenth of a second or more.
//! While most requests meet the limit and latency stays near that of an unloaded server, the limit grows.
//! When latency is far above, the limit is halved. If that lowered the latency, it was the load. If
//! it did not, the work itself has become slower: the old limit comes back, and the latency seen
//! now is what the next windows are compared with.

use std::time::{Duration, Instant};

/// A window is judged after this time and after this many samples, or as many as the limit.
const WINDOW: Duration = Duration::from_millis(100);
const SAMPLES: usize = 10;
/// Where requests take long, a window is judged after this time and with fewer samples.
const LONG_WINDOW: Duration = Duration::from_millis(500);
const FEW_SAMPLES: usize = 3;
/// Latency may reach twice that of an unloaded server and this, in seconds. It lets a few requests
/// queue inside the server, so that its threads do not run dry between two of them.
const SLACK: f64 = 0.002;
/// Latency this many times above its target is too high; below that, the limit stays.
const TOLERANCE: f64 = 1.5;
/// Halving the limit lowered the latency if at most this share of it is left.
const LOWERED: f64 = 0.75;
/// More late or refused requests than one in so many answers are too many.
const RARE: usize = 8;
/// After requests that came too late, the target is at most this share of their time; it grows by
/// the second factor in every window without.
const HURRY: f64 = 0.5;
const RELAXATION: f64 = 1.05;
/// Weight of a new sample in the mean service time.
const SMOOTHING: f64 = 0.1;

/// How a request that had a place ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered, successfully or not.
    Answered,
    /// Its deadline passed first.
    Late,
    /// A server behind this one refused it because of overload.
    Overloaded,
}

/// When a request got its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    at: Instant,
    window: u64,
    limit: usize,
}

#[derive(Debug)]
pub(super) struct Concurrency {
    least: usize,
    most: usize,
    limit: usize,
    /// Mean time for which a place is taken, in seconds.
    service_time: Option<f64>,
    /// Mean time between two places that become free while the limit is reached, in seconds.
    gap: Option<f64>,
    /// Mean latency when the server is not loaded, in seconds.
    unloaded: Option<f64>,
    /// The latency that callers have time for, in seconds, since some were not answered in time.
    hurry: Option<f64>,
    /// The limit and the latency of the last window, when the limit was halved after it.
    halved: Option<(usize, f64)>,
    window: Window,
}

#[derive(Debug)]
struct Window {
    number: u64,
    began: Instant,
    /// Requests that were admitted in this window and answered, and the sum of their latencies.
    answered: usize,
    seconds: f64,
    /// Those that were not answered in time, and the sum of the times after which they ended.
    late: usize,
    late_seconds: f64,
    overloaded: usize,
    /// Requests that arrived, and those of them that found no free place.
    arrived: usize,
    blocked: usize,
}

impl Window {
    fn new(number: u64, began: Instant) -> Self {
        Self {
            number,
            began,
            answered: 0,
            seconds: 0.0,
            late: 0,
            late_seconds: 0.0,
            overloaded: 0,
            arrived: 0,
            blocked: 0,
        }
    }

    fn latency(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.seconds / self.answered as f64)
    }
}

impl Concurrency {
    /// Starts at `least`, where the latency of an unloaded server is seen.
    pub(super) fn new(least: usize, most: usize, now: Instant) -> Self {
        let most = most.max(1);
        let least = least.clamp(1, most);
        Self {
            least,
            most,
            limit: least,
            service_time: None,
            gap: None,
            unloaded: None,
            hurry: None,
            halved: None,
            window: Window::new(0, now),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The mean time for which a place is taken; zero before the first sample.
    pub(super) fn service_time(&self) -> Duration {
        Duration::from_secs_f64(self.service_time.unwrap_or(0.0))
    }

    /// The time until `count` places have become free.
    pub(super) fn time_to_free(&self, count: usize) -> Duration {
        Duration::from_secs_f64(self.gap.unwrap_or(0.0) * count as f64)
    }

    pub(super) fn start(&self, now: Instant) -> Start {
        Start {
            at: now,
            window: self.window.number,
            limit: self.limit,
        }
    }

    /// A request has arrived, and found a free place or not.
    pub(super) fn arrived(&mut self, free: bool) {
        self.window.arrived += 1;
        self.window.blocked += usize::from(!free);
    }

    /// A request has ended for its caller.
    pub(super) fn ended(&mut self, now: Instant, start: Start, outcome: Outcome) {
        let seconds = now.saturating_duration_since(start.at).as_secs_f64();
        match outcome {
            // What was admitted under an earlier limit says nothing about this one.
            Outcome::Answered if start.window == self.window.number => {
                self.window.answered += 1;
                self.window.seconds += seconds;
            }
            Outcome::Answered => {}
            // A caller who was in too much of a hurry says nothing about the server.
            Outcome::Late if self.target().is_none_or(|most| seconds <= TOLERANCE * most) => {}
            Outcome::Late => {
                self.window.late += 1;
                self.window.late_seconds += seconds;
            }
            Outcome::Overloaded => self.window.overloaded += 1,
        }
        let Window {
            began,
            answered,
            late,
            overloaded,
            ..
        } = self.window;
        let length = now.saturating_duration_since(began);
        let samples = answered + late + overloaded;
        if length >= WINDOW && samples >= SAMPLES.max(self.limit)
            || length >= LONG_WINDOW && samples >= FEW_SAMPLES
        {
            self.judge();
            self.window = Window::new(self.window.number + 1, now);
        }
    }

    /// A place has become free, after an ending that says how long the work takes.
    pub(super) fn freed(&mut self, now: Instant, start: Start) {
        let seconds = now.saturating_duration_since(start.at).as_secs_f64();
        smooth(&mut self.service_time, seconds);
        // Divided by the limit that was in force: while the limit changes, the time in between
        // stays the same on a machine that has all it can do.
        smooth(&mut self.gap, seconds / start.limit as f64);
    }

    /// The latency above which more requests in progress would only wait inside the server.
    fn target(&self) -> Option<f64> {
        let target = 2.0 * self.unloaded? + SLACK;
        Some(self.hurry.map_or(target, |hurry| hurry.min(target)))
    }

    fn judge(&mut self) {
        let halved = self.halved.take();
        let often = self.window.answered / RARE;
        if self.window.late > often {
            self.hurry = Some(HURRY * self.window.late_seconds / self.window.late as f64);
            self.set(self.limit / 2);
            return;
        }
        self.hurry = self.hurry.map(|hurry| hurry * RELAXATION);
        if self.window.overloaded > often {
            self.set(self.limit * 9 / 10);
        } else if let Some(latency) = self.window.latency() {
            self.follow(latency, halved);
        }
    }

    fn follow(&mut self, latency: f64, halved: Option<(usize, f64)>) {
        match halved {
            Some((limit, before)) if latency > LOWERED * before => {
                self.unloaded = Some(latency);
                self.set(limit);
            }
            // The server cannot be loaded less.
            _ if self.limit == self.least => self.unloaded = Some(latency),
            _ => {
                let lowest = self.unloaded.map_or(latency, |lowest| lowest.min(latency));
                self.unloaded = Some(lowest);
            }
        }
        // A limit that most requests do not meet is not what determines the latency.
        let binding = 2 * self.window.blocked >= self.window.arrived;
        let Some(target) = self.target().filter(|_| binding) else {
            return;
        };
        if latency > TOLERANCE * target && self.limit > self.least {
            self.halved = Some((self.limit, latency));
            self.set(self.limit / 2);
        } else if latency <= target {
            let grown = self.limit as f64 * (target / latency).min(2.0);
            self.set((grown as usize).max(self.limit + 1));
        }
    }

    fn set(&mut self, limit: usize) {
        self.limit = limit.clamp(self.least, self.most);
    }
}

fn smooth(mean: &mut Option<f64>, sample: f64) {
    let mean = mean.get_or_insert(sample);
    *mean += SMOOTHING * (sample - *mean);
}
