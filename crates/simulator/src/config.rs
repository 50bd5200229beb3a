//! The configuration of a simulation and its checks, and the errors of this crate.

use std::path::PathBuf;

/// The size and parameters of a simulation. [`Config::default`] gives the shipped sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Number of requests, at least 1.
    pub requests: u64,
    /// Seed of all random draws.
    pub seed: u64,
    /// Minimum number of candidates of a request, at least `k`.
    pub candidates_min: usize,
    /// Maximum number of candidates of a request, at least `candidates_min` and at most 1000.
    pub candidates_max: usize,
    /// Candidates shown per request, at least 1.
    pub k: usize,
    /// Lower end of the range from which λ is drawn uniformly; finite and at least 0.
    pub lambda_low: f64,
    /// Upper end of that range, above the lower one.
    pub lambda_high: f64,
    /// Milliseconds from one request to the next on average, at least 1 and at most a day.
    pub request_every_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            requests: 2_000,
            seed: 1,
            candidates_min: 20,
            candidates_max: 30,
            k: 10,
            lambda_low: 0.0,
            lambda_high: 1.25,
            request_every_ms: 60_000,
        }
    }
}

impl Config {
    /// So many days with so many requests each.
    #[must_use]
    pub fn of_days(days: u64, requests_per_day: u64, seed: u64) -> Self {
        Self {
            requests: days.saturating_mul(requests_per_day),
            request_every_ms: DAY_MS / requests_per_day.max(1),
            seed,
            ..Self::default()
        }
    }
}

/// Maximum of `candidates_max`: the pool of recent posts must be much larger.
const MOST_CANDIDATES: usize = 1_000;
/// Milliseconds of a day, and maximum of `request_every_ms`.
const DAY_MS: u64 = 24 * 3_600_000;
/// Maximum number of requests, because their ids have nine digits.
const MOST_REQUESTS: u64 = 1_000_000_000;

impl Config {
    /// Checks the ranges of all fields.
    pub(crate) fn check(&self) -> Result<(), SimulatorError> {
        let wrong = |field, reason: String| Err(SimulatorError::Config { field, reason });
        if self.requests == 0 {
            return wrong("requests", "must be at least 1".to_owned());
        }
        if self.requests > MOST_REQUESTS {
            return wrong(
                "requests",
                format!("{} is above the limit, {MOST_REQUESTS}", self.requests),
            );
        }
        if self.k == 0 {
            return wrong("k", "must be at least 1".to_owned());
        }
        if self.k > self.candidates_min {
            return wrong(
                "k",
                format!(
                    "{} is more than the minimum number of candidates of a request, {}",
                    self.k, self.candidates_min
                ),
            );
        }
        if self.candidates_min > self.candidates_max {
            return wrong(
                "candidates_min",
                format!(
                    "{} is above candidates_max, {}",
                    self.candidates_min, self.candidates_max
                ),
            );
        }
        if self.candidates_max > MOST_CANDIDATES {
            return wrong(
                "candidates_max",
                format!(
                    "{} is above the limit, {MOST_CANDIDATES}",
                    self.candidates_max
                ),
            );
        }
        if !(1..=DAY_MS).contains(&self.request_every_ms) {
            return wrong(
                "request_every_ms",
                format!("{} must be from 1 to {DAY_MS}", self.request_every_ms),
            );
        }
        if !(self.lambda_low.is_finite() && self.lambda_low >= 0.0) {
            return wrong(
                "lambda_low",
                format!("{} must be finite and at least 0", self.lambda_low),
            );
        }
        if !(self.lambda_high.is_finite() && self.lambda_high > self.lambda_low) {
            return wrong(
                "lambda_high",
                format!(
                    "{} must be finite and above lambda_low, {}",
                    self.lambda_high, self.lambda_low
                ),
            );
        }
        Ok(())
    }
}

/// Why a simulation was not written.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A field of the configuration is out of range.
    #[error("{field}: {reason}")]
    Config {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}: {source}; choose a folder that can be written to", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Rows could not be encoded or written.
    #[error("cannot write the rows of {}: {source}; check the free disk space", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// The error of the writer.
        source: polars::error::PolarsError,
    },
    /// The values of a feature cannot be converted.
    #[error("cannot convert the feature {name}: {source}")]
    Feature {
        /// The feature.
        name: String,
        /// The error of the conversion.
        source: polars::error::PolarsError,
    },
    /// A page has a candidate that its request did not have.
    #[error(
        "the page of request {request} has the candidate {candidate:?}, which the request did not have"
    )]
    UnknownCandidate {
        /// The request.
        request: String,
        /// The candidate.
        candidate: String,
    },
}
