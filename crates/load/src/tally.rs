//! Counts during a run. Each shard has its own histograms, which are merged at the end, so that
//! tasks do not wait for each other.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use counterweight_proto::code_name;
use hdrhistogram::Histogram;
use tonic::Code;

/// The counts of one shard.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Latencies of requests that were answered OK, in ns.
    pub(crate) latencies: Histogram<u64>,
    /// Latencies of requests that were answered RESOURCE_EXHAUSTED, in ns.
    pub(crate) refusals: Histogram<u64>,
    /// Delay from the scheduled to the actual send time, in ns; empty in a closed loop.
    pub(crate) lags: Histogram<u64>,
    /// Failed requests by gRPC code.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Bytes of all OK answers.
    pub(crate) answer_bytes: u64,
}

/// The outcome of one request.
pub(crate) struct Outcome {
    /// Time from the actual send time (closed loop) or the scheduled one (open loop) to the last
    /// byte of the answer.
    pub(crate) latency: Duration,
    /// Delay from the scheduled to the actual send time; `None` in a closed loop.
    pub(crate) lag: Option<Duration>,
    /// The length of the answer in bytes, or the gRPC code of the failure.
    pub(crate) answer: Result<usize, Code>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            latencies: histogram(),
            refusals: histogram(),
            lags: histogram(),
            errors: BTreeMap::new(),
            answer_bytes: 0,
        }
    }

    pub(crate) fn record(&mut self, outcome: &Outcome) {
        match outcome.answer {
            Ok(bytes) => {
                self.latencies.saturating_record(ns(outcome.latency));
                self.answer_bytes += bytes as u64;
            }
            Err(code) => {
                *self.errors.entry(code_name(code)).or_default() += 1;
                if code == Code::ResourceExhausted {
                    self.refusals.saturating_record(ns(outcome.latency));
                }
            }
        }
        if let Some(lag) = outcome.lag {
            self.lags.saturating_record(ns(lag));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        // All histograms have the same bounds, so adding cannot fail.
        let _ = self.latencies.add(&other.latencies);
        let _ = self.refusals.add(&other.refusals);
        let _ = self.lags.add(&other.lags);
        for (code, count) in &other.errors {
            *self.errors.entry(code).or_default() += count;
        }
        self.answer_bytes += other.answer_bytes;
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A histogram from 1 ns to 1 hour with three significant digits.
#[expect(
    clippy::expect_used,
    reason = "the bounds are constants that hdrhistogram accepts"
)]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("valid bounds")
}

/// The tallies of all shards of a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    shards: Vec<Mutex<Tally>>,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Recorder {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards.max(1))
                .map(|_| Mutex::new(Tally::new()))
                .collect(),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Adds one request to a shard. `worker` is any number that spreads tasks over shards.
    pub(crate) fn record(&self, worker: usize, outcome: &Outcome) {
        let counter = match outcome.answer {
            Ok(_) => &self.answered,
            Err(_) => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let shard = &self.shards[worker % self.shards.len()];
        shard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(outcome);
    }

    /// The number of requests answered OK so far, and the number of failed ones.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.answered.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }

    pub(crate) fn total(&self) -> Tally {
        let mut total = Tally::new();
        for shard in &self.shards {
            total.merge(&shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_shards_equal_one_shard() {
        let (one, many) = (Recorder::new(1), Recorder::new(4));
        for index in 0..1000_usize {
            let outcome = Outcome {
                latency: Duration::from_micros(index as u64 * index as u64),
                lag: (index % 2 == 0).then(|| Duration::from_nanos(index as u64)),
                answer: match index % 10 {
                    8 => Err(Code::Unavailable),
                    9 => Err(Code::ResourceExhausted),
                    _ => Ok(index),
                },
            };
            one.record(index, &outcome);
            many.record(index, &outcome);
        }
        let (one, many) = (one.total(), many.total());
        assert_eq!(one.latencies, many.latencies);
        assert_eq!(one.refusals, many.refusals);
        assert_eq!(many.refusals.len(), 100);
        assert_eq!(one.lags, many.lags);
        assert_eq!(many.latencies.len(), 800);
        assert_eq!(many.lags.len(), 500);
        let errors: Vec<_> = many.errors.iter().collect();
        assert_eq!(
            errors,
            [(&"RESOURCE_EXHAUSTED", &100), (&"UNAVAILABLE", &100)]
        );
        assert_eq!(one.errors, many.errors);
        assert_eq!(one.answer_bytes, many.answer_bytes);
        let answered: u64 = (0..1000).filter(|i| i % 10 < 8).sum();
        assert_eq!(many.answer_bytes, answered);
    }

    #[test]
    fn a_latency_beyond_the_bounds_is_recorded_at_the_bound() {
        let recorder = Recorder::new(1);
        recorder.record(
            0,
            &Outcome {
                latency: Duration::from_secs(100_000),
                lag: None,
                answer: Ok(0),
            },
        );
        assert_eq!(recorder.total().latencies.len(), 1);
        assert!(recorder.total().latencies.max() >= 3_600_000_000_000);
    }
}
