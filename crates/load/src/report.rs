//! The results of a run, for people and programs.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::{Mode, Options, tally::Tally};

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The gRPC method, such as `/counterweight.v1.RankingService/Rank`.
    pub method: String,
    /// The server.
    pub address: String,
    /// How requests were timed.
    pub mode: Mode,
    /// TCP connections.
    pub channels: usize,
    /// Time from the first request to the last answer, in seconds.
    pub seconds: f64,
    /// All requests: those that were answered OK and those that failed.
    pub requests: u64,
    /// Failed requests by gRPC code. A request without an answer within the timeout counts as
    /// DEADLINE_EXCEEDED.
    pub errors: BTreeMap<String, u64>,
    /// Requests answered OK per second.
    pub throughput: f64,
    /// Latencies of requests that were answered OK, up to the last byte of the answer; absent if
    /// there were none.
    pub latency: Option<Latency>,
    /// Latencies of requests that were answered RESOURCE_EXHAUSTED; absent if there were none.
    pub refusals: Option<Latency>,
    /// Open loop only: the delay from the scheduled to the actual send time. It is part of
    /// `latency`. If it is not small in comparison, the generator or its machine is the bottleneck.
    pub send_lag: Option<Latency>,
    /// Bytes of one encoded request: the mean over the different requests.
    pub request_bytes: u64,
    /// Bytes of one encoded answer: the mean over all OK answers.
    pub answer_bytes: u64,
}

/// Mean and quantiles of a distribution, in milliseconds, with three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Largest.
    pub max_ms: f64,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        method: &str,
        request_bytes: u64,
        elapsed: Duration,
        tally: &Tally,
    ) -> Self {
        let answered = tally.latencies.len();
        let failed: u64 = tally.errors.values().sum();
        Self {
            method: method.to_owned(),
            address: options.address.clone(),
            mode: options.mode,
            channels: options.channels,
            seconds: elapsed.as_secs_f64(),
            requests: answered + failed,
            errors: tally
                .errors
                .iter()
                .map(|(code, count)| ((*code).to_owned(), *count))
                .collect(),
            throughput: answered as f64 / elapsed.as_secs_f64(),
            latency: Latency::from_histogram(&tally.latencies),
            refusals: Latency::from_histogram(&tally.refusals),
            send_lag: Latency::from_histogram(&tally.lags),
            request_bytes,
            answer_bytes: tally.answer_bytes.checked_div(answered).unwrap_or(0),
        }
    }

    /// Number of failed requests, with any code.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

impl Latency {
    fn from_histogram(histogram: &Histogram<u64>) -> Option<Self> {
        let ms = |ns: u64| ns as f64 / 1e6;
        (!histogram.is_empty()).then(|| Self {
            mean_ms: histogram.mean() / 1e6,
            p50_ms: ms(histogram.value_at_quantile(0.5)),
            p90_ms: ms(histogram.value_at_quantile(0.9)),
            p99_ms: ms(histogram.value_at_quantile(0.99)),
            p999_ms: ms(histogram.value_at_quantile(0.999)),
            max_ms: ms(histogram.max()),
        })
    }
}
