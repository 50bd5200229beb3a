//! The figures of one version that ModelStatistics reports: the number of requests, and the time of
//! each step.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use counterweight_proto::inference::{InferStatistics, ModelStatistics, StatisticDuration};

/// Counts of one loaded version since it was loaded.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    success: Counted,
    fail: Counted,
    queue: Counted,
    input: Counted,
    score: Counted,
    output: Counted,
    /// When the last request was answered, in milliseconds since 1970; 0 if none was.
    last: AtomicU64,
}

/// How long the steps of one answered request took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Steps {
    /// Reading the input tensors.
    pub(crate) input: Duration,
    /// Scoring.
    pub(crate) score: Duration,
    /// Writing the output tensors.
    pub(crate) output: Duration,
}

#[derive(Debug, Default)]
struct Counted {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Counted {
    fn add(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    fn report(&self) -> Option<StatisticDuration> {
        Some(StatisticDuration {
            count: self.count.load(Relaxed),
            ns: self.nanoseconds.load(Relaxed),
        })
    }
}

impl Statistics {
    /// Counts a request that was answered `elapsed` after its arrival.
    pub(crate) fn answered(&self, elapsed: Duration, steps: Steps) {
        let Steps {
            input,
            score,
            output,
        } = steps;
        self.success.add(elapsed);
        self.queue
            .add(elapsed.saturating_sub(input + score + output));
        self.input.add(input);
        self.score.add(score);
        self.output.add(output);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        self.last.store(now, Relaxed);
    }

    /// Counts a request that failed.
    pub(crate) fn failed(&self, elapsed: Duration) {
        self.fail.add(elapsed);
    }

    /// The statistics as a message of the protocol.
    pub(crate) fn report(&self, name: &str, version: &str) -> ModelStatistics {
        let answered = self.success.count.load(Relaxed);
        ModelStatistics {
            name: name.to_owned(),
            version: version.to_owned(),
            last_inference: self.last.load(Relaxed),
            inference_count: answered,
            execution_count: answered,
            inference_stats: Some(InferStatistics {
                success: self.success.report(),
                fail: self.fail.report(),
                queue: self.queue.report(),
                compute_input: self.input.report(),
                compute_infer: self.score.report(),
                compute_output: self.output.report(),
            }),
        }
    }
}
