//! The combiner's configuration: the file format, and the checked form that the combiner uses.
//!
//! ```toml
//! listen = "127.0.0.1:7000"          # gRPC
//! metrics_listen = "127.0.0.1:9100"  # /metrics and /healthz; none when left out
//! replica = "a"                      # this combiner's name in answers
//! # Tensors of one element that segments may use although no model accepts them. They are sent to
//! # no model.
//! attributes = ["user_tier"]
//!
//! [limits]                           # each may be left out
//! memory_budget_bytes = 1073741824   # of requests and answers; a quarter of the memory when left out
//! max_message_bytes = 67108864       # the largest request, and the largest answer of a model
//! max_concurrent_requests = 512      # Rank requests in progress
//! max_connections = 4096
//! max_streams = 1024                 # open streams of answers: watches, logs
//! read_timeout_ms = 10000            # for a request to arrive
//! send_timeout_ms = 30000            # for an answer to be read
//! drain_seconds = 10                 # for requests in progress at a stop
//!
//! [store]
//! path = "weights.log"               # beside this file; with `nats`, the local copy of the log
//! nats = "nats://127.0.0.1:4222"     # for many combiners: the log is a stream in NATS JetStream;
//!                                    # servers of a cluster are separated by commas
//! stream = "counterweight"           # the stream's name
//! idempotency_days = 7               # how long idempotency keys are remembered; at least 7
//!
//! [recent_requests]                  # the recent requests, for previews, solving and the log
//! candidates = 1000000               # of each profile, at most about 256 bytes each; 0 keeps none
//! minutes = 60                       # no longer than this
//!
//! [request_log]                      # logs every ranking; without this table nothing is logged
//! path = "request-log"               # docs/operations.md has the other keys
//! store = { url = "s3://logs/feed" } # uploads its parts; without it they stay in the folder
//!
//! [feedback]                         # takes events; without this table the service is not offered
//! path = "event-log"
//! types = ["seen", "click"]          # left out: all types
//!
//! [[objective]]                      # α
//! name = "engagement"
//! base_rate = 0.2                    # its usual probability: ramps scale the weight by it, to
//!                                    # turn the direction evenly; 1 when left out
//! [objective.model]
//! endpoints = ["http://models:8001", "unix:/run/engagement.sock"]
//! name = "engagement"
//! version = "latest"                 # or a pinned one
//! timeout_ms = 1000
//!
//! [[objective]]                      # β, served by a foreign server
//! name = "engagement_bait"
//! [objective.model]
//! endpoints = ["http://127.0.0.1:9001"]
//! name = "bait"
//! output = "predict_proba"
//! column = 1
//! packed = { input = "x", features = ["age_hours", "exclamation_marks"] }
//! [objective.calibrator]
//! method = "platt"
//! slope = 1.1
//! intercept = -0.2
//!
//! [[objective]]                      # γ, a probability that the caller sends
//! name = "hide"
//! [objective.column]
//! name = "p_hide"
//!
//! [profile.default]
//! weights = { engagement = 1.0, engagement_bait = -0.5, hide = -2.0 }
//! # The weights that the kill switch puts in force. With a weight of 0 the profile still ranks
//! # when the model of that objective is down.
//! safe = { engagement = 1.0, engagement_bait = -5.0, hide = -5.0 }
//! on_model_failure = "fail"          # or "without"
//! on_model_overload = "fail"         # or "without": how overload of a model is answered
//! on_model_change = "warn"           # or "hold": rank by the versions the weights were tuned for
//! limit = 0                          # how many candidates are returned by default; 0 is all
//! [profile.default.bounds]           # checked on every change without force; all keys optional
//! engagement_bait = { sign = "non_positive", min = -10.0, max = 0.0, max_step = 1.0 }
//! ```

mod check;
mod raw;
mod types;

#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, time::Duration};

use counterweight_clock::{Clock, SystemClock};
use counterweight_feedback::FeedbackConfig;
use counterweight_serving::Limits;
use counterweight_weights::{self as weights, find_profile};
pub use counterweight_weights::{OnModelChange, StoreConfig};

use self::check::{Checked, Problem, problem};
pub use self::types::{Features, Objective, Policy, Profile, RecentRequests, RequestLog, Source};
use crate::error::{ConfigurationError, RequestError};

/// A year.
const MAX_MINUTES: u64 = 365 * 24 * 60;

/// A checked configuration of one combiner.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the gRPC services listen: `host:port` or `unix:/path`.
    pub listen: String,
    /// Where `/metrics` and `/healthz` listen: `host:port`; `None` serves neither.
    pub metrics_listen: Option<String>,
    /// The name of this replica in answers.
    pub replica: String,
    /// The time of everything that is logged, of ramps and of events. No file sets it: it is the
    /// system's, but in tests and simulations.
    pub clock: Arc<dyn Clock>,
    /// Where the weights log is kept.
    pub store: StoreConfig,
    /// How long idempotency keys are remembered. Default and minimum: 7 days.
    pub key_horizon: Duration,
    /// Tensors of one element that segments may use although no model accepts them. Names unique.
    pub attributes: Vec<String>,
    /// The limits of the server.
    pub limits: Limits,
    /// How many recent requests are kept.
    pub recent_requests: RecentRequests,
    /// How rankings are logged; `None` logs nothing.
    pub request_log: Option<RequestLog>,
    /// How events are kept; `None` takes none.
    pub feedback: Option<FeedbackConfig>,
    /// The objectives, in order: the first is α, the second β. At least one, names unique.
    pub objectives: Vec<Objective>,
    /// The profiles, by name. At least one.
    pub profiles: Vec<Profile>,
}

impl Config {
    /// Reads a TOML file. Relative paths start at the file's folder.
    ///
    /// # Errors
    /// The file cannot be read, a key is not known or a value is not valid; the error names the
    /// key.
    pub fn read(path: &Path) -> Result<Self, ConfigurationError> {
        let raw: raw::Config = counterweight_config::read_toml(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        from_raw(raw, &path.display().to_string(), folder)
    }

    /// Parses a TOML text. `origin` names it in errors, and relative paths start at `folder`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, origin: &str, folder: &Path) -> Result<Self, ConfigurationError> {
        from_raw(
            counterweight_config::parse_toml(text, origin)?,
            origin,
            folder,
        )
    }

    /// The position of the profile of that name; an empty name means `default`.
    pub(crate) fn profile(&self, name: &str) -> Result<usize, RequestError> {
        let known = self.profiles.iter().map(|profile| &*profile.name);
        Ok(find_profile(name, known)?)
    }

    /// The part of the configuration that the weights need.
    pub(crate) fn weights(&self) -> weights::Config {
        let objective = |at: usize| {
            let objective = &self.objectives[at];
            weights::Objective {
                name: objective.name.clone(),
                model: match &objective.source {
                    Source::Model(model) => model.name.clone(),
                    Source::Column { name } => name.clone(),
                },
                base_rate: objective.base_rate,
            }
        };
        let profile = |profile: &Profile| weights::Profile {
            name: profile.name.clone(),
            objectives: profile.objectives.iter().copied().map(objective).collect(),
            weights: profile.weights.clone(),
            safe: profile.safe.clone(),
            bounds: profile.bounds.clone(),
            on_model_change: profile.on_model_change,
        };
        weights::Config {
            replica: self.replica.clone(),
            clock: Arc::clone(&self.clock),
            store: self.store.clone(),
            key_horizon: self.key_horizon,
            profiles: self.profiles.iter().map(profile).map(Arc::new).collect(),
        }
    }

    /// The names of a profile's objectives, in order.
    pub(crate) fn objective_names(&self, profile: usize) -> impl Iterator<Item = &str> {
        self.profiles[profile]
            .objectives
            .iter()
            .map(|&objective| self.objectives[objective].name.as_str())
    }
}

fn from_raw(raw: raw::Config, origin: &str, folder: &Path) -> Result<Config, ConfigurationError> {
    checked(raw, folder).map_err(|Problem { key, problem }| ConfigurationError::Value {
        origin: origin.to_owned(),
        key,
        problem,
    })
}

fn checked(raw: raw::Config, folder: &Path) -> Checked<Config> {
    let limits = check::limits(&raw.limits)?;
    if !(1..=MAX_MINUTES).contains(&raw.recent_requests.minutes) {
        return problem(
            "recent_requests.minutes",
            format!(
                "is {}; write from 1 to {MAX_MINUTES}, or candidates = 0 to keep nothing",
                raw.recent_requests.minutes
            ),
        );
    }
    let key_horizon = check::key_horizon(raw.store.idempotency_days)?;
    let store = check::store(raw.store, folder)?;
    let request_log = raw.request_log.map(|log| check::request_log(log, folder));
    let request_log = request_log.transpose()?;
    let feedback = raw.feedback;
    let feedback = feedback.map(|feedback| check::feedback(feedback, request_log.as_ref(), folder));
    if raw.replica.is_empty() {
        return problem("replica", "is empty; give each combiner its own name");
    }
    let objectives = check::objectives(raw.objective)?;
    check::attributes(&raw.attributes, &objectives)?;
    let profiles = raw
        .profile
        .into_iter()
        .map(|(name, profile)| check::profile(name, &profile, &objectives))
        .collect::<Checked<Vec<_>>>()?;
    if profiles.is_empty() {
        return problem(
            "profile",
            "no profile is configured: add [profile.default] with weights",
        );
    }
    Ok(Config {
        listen: raw.listen,
        metrics_listen: raw.metrics_listen,
        replica: raw.replica,
        clock: Arc::new(SystemClock),
        store,
        key_horizon,
        attributes: raw.attributes,
        limits,
        recent_requests: RecentRequests {
            candidates: raw.recent_requests.candidates,
            window: Duration::from_secs(60 * raw.recent_requests.minutes),
        },
        request_log,
        feedback: feedback.transpose()?,
        objectives,
        profiles,
    })
}
