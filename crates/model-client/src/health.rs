//! Judges whether one endpoint answers, and decides when a suspect is tried again.
//!
//! An endpoint is suspect after a call that it did not answer. What counts as that depends on who
//! ended the call:
//! - It could not be reached, or it was silent for the model's whole timeout: suspect.
//! - The caller's deadline was shorter: suspect only if the endpoint has answered nothing since the
//!   call began and had at least four times as long as it usually takes, or has never answered.
//! - It answered, be it with an error: not suspect.
//!
//! A suspect is tried last, except that once per second one call tries it in its turn.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long a suspect is spared before one call tries it again.
const REST: Duration = Duration::from_secs(1);
/// Silence counts when it lasts this many times the usual time of the endpoint.
const PATIENCE: u64 = 4;
/// The weight of one call in the moving average of the usual time: one eighth.
const SMOOTHING: i64 = 8;

/// How a call to an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered, with a result or an error.
    Answered,
    /// It could not be reached, or said that it cannot serve now.
    Unreachable,
    /// It was silent until the deadline.
    Silent {
        /// The deadline was the model's own timeout, not the caller's.
        own_timeout: bool,
    },
}

/// The state of one endpoint. All times are microseconds since `born`, 0 is never.
#[derive(Debug)]
pub(crate) struct Health {
    born: Instant,
    /// When one call may try it again; 0 while it is not suspect.
    retry_at: AtomicU64,
    answered_at: AtomicU64,
    /// A moving average of the time of an inference call, in microseconds; 0 before the first.
    usual: AtomicU64,
}

impl Health {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            born: now,
            retry_at: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
            usual: AtomicU64::new(0),
        }
    }

    /// Whether the endpoint is suspect.
    pub(crate) fn suspect(&self) -> bool {
        self.retry_at.load(Relaxed) != 0
    }

    /// Whether the endpoint has ever answered.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered_at.load(Relaxed) != 0
    }

    /// Whether a call whose turn it is should be made here: always, or for a suspect once per
    /// second.
    pub(crate) fn takes_turn(&self, now: Instant) -> bool {
        let retry_at = self.retry_at.load(Relaxed);
        if retry_at == 0 {
            return true;
        }
        let now = self.micros(now);
        // Of several calls at once only one tries.
        now >= retry_at
            && self
                .retry_at
                .compare_exchange(retry_at, now + micros(REST), Relaxed, Relaxed)
                .is_ok()
    }

    /// Records the outcome of a call from `began` to `now`. Returns true when that changes whether
    /// the endpoint is suspect.
    pub(crate) fn record(&self, outcome: Outcome, began: Instant, now: Instant) -> bool {
        let (began, now) = (self.micros(began), self.micros(now));
        match outcome {
            Outcome::Answered => {
                self.answered_at.store(now, Relaxed);
                self.retry_at.swap(0, Relaxed) != 0
            }
            Outcome::Silent { own_timeout: false } if !self.silence_counts(began, now) => false,
            Outcome::Unreachable | Outcome::Silent { .. } => {
                self.retry_at.swap(now + micros(REST), Relaxed) == 0
            }
        }
    }

    /// Records the duration of an inference call.
    pub(crate) fn record_time(&self, took: Duration) {
        let (before, took) = (self.usual.load(Relaxed), micros(took).max(1));
        let usual = match before {
            0 => took,
            _ => before
                .saturating_add_signed((took.cast_signed() - before.cast_signed()) / SMOOTHING),
        };
        self.usual.store(usual, Relaxed);
    }

    /// Whether silence until a caller's deadline counts against the endpoint.
    fn silence_counts(&self, began: u64, now: u64) -> bool {
        if self.answered_at.load(Relaxed) > began {
            return false;
        }
        let usual = self.usual.load(Relaxed);
        usual == 0 || now - began >= usual.saturating_mul(PATIENCE)
    }

    fn micros(&self, at: Instant) -> u64 {
        micros(at.saturating_duration_since(self.born)).max(1)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Outcome = Outcome::Silent { own_timeout: true };
    const CALLERS: Outcome = Outcome::Silent { own_timeout: false };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn silence_for_the_models_own_timeout_makes_a_suspect() {
        let born = Instant::now();
        let health = Health::new(born);
        health.record(Outcome::Answered, born, born + ms(5));
        health.record_time(ms(5));
        assert!(health.record(OWN, born + ms(10), born + ms(1010)));
        assert!(health.suspect());
        assert!(health.record(Outcome::Answered, born + ms(1020), born + ms(1025)));
        assert!(!health.suspect());
    }

    #[test]
    fn a_callers_deadline_counts_only_beyond_four_times_the_usual() {
        let born = Instant::now();
        let health = Health::new(born);
        health.record(Outcome::Answered, born, born + ms(10));
        health.record_time(ms(10));
        assert!(!health.record(CALLERS, born + ms(20), born + ms(59)));
        assert!(!health.suspect(), "39 ms are no four times 10 ms");
        // Another call was answered meanwhile: the endpoint is there, whatever this one asked.
        health.record(Outcome::Answered, born + ms(70), born + ms(90));
        assert!(!health.record(CALLERS, born + ms(60), born + ms(960)));
        assert!(health.record(CALLERS, born + ms(1000), born + ms(1040)));
        assert!(health.suspect());
    }

    #[test]
    fn an_endpoint_that_never_answered_has_no_credit() {
        let born = Instant::now();
        let health = Health::new(born);
        assert!(health.record(CALLERS, born, born + ms(1)));
    }

    #[test]
    fn one_call_a_second_tries_a_suspect() {
        let born = Instant::now();
        let health = Health::new(born);
        assert!(health.takes_turn(born) && health.takes_turn(born));
        health.record(Outcome::Unreachable, born, born + ms(100));
        assert!(!health.takes_turn(born + ms(1099)));
        assert!(health.takes_turn(born + ms(1100)));
        assert!(!health.takes_turn(born + ms(1100)), "one is enough");
        assert!(!health.takes_turn(born + ms(2099)));
        assert!(health.takes_turn(born + ms(2100)));
    }

    #[test]
    fn the_usual_time_follows_the_calls() {
        let health = Health::new(Instant::now());
        for _ in 0..100 {
            health.record_time(ms(8));
        }
        assert_eq!(health.usual.load(Relaxed), 8000);
        for _ in 0..100 {
            health.record_time(ms(80));
        }
        assert!(health.usual.load(Relaxed).abs_diff(80_000) < 100);
    }
}
