//! The combiner's configuration: what is read, and the checked form that alone acts.
//!
//! ```toml
//! listen = "127.0.0.1:7000"            # gRPC
//! metrics_listen = "127.0.0.1:9100"    # /metrics and /healthz; none when left out
//! replica = "a"                        # this combiner's name in answers
//! attributes = ["user_tier"]           # tensors of one element that segments may ask for although no model takes them; they go to no model
//!
//! [store]
//! path = "weights.log"                 # beside this file; with `nats` it is this combiner's copy of the log
//! nats = "nats://127.0.0.1:4222"       # for many combiners: the log is a stream in NATS JetStream; comma separated for a cluster
//! stream = "counterweight"             # its name
//! idempotency_days = 7                 # for how long a repeated idempotency key is recognised, at least 7
//!
//! [ring]                               # the recent requests, for previews, solving and the log
//! candidates = 1000000                 # kept of each profile, about 256 bytes each at most; 0 keeps nothing
//! minutes = 60                         # and no longer than this
//!
//! [[objective]]                        # α
//! name = "engagement"
//! base_rate = 0.2                      # its usual probability: what a ramp scales the weight by to turn evenly; 1 when left out
//! [objective.model]
//! endpoints = ["http://127.0.0.1:8001", "unix:/run/engagement.sock"]
//! name = "engagement"
//! version = "latest"                   # or a pinned one
//! timeout_ms = 1000
//!
//! [[objective]]                        # β, served by a foreign server
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
//! [[objective]]                        # γ, a probability that the caller has
//! name = "hide"
//! [objective.column]
//! name = "p_hide"
//!
//! [profile.default]
//! weights = { engagement = 1.0, engagement_bait = -0.5, hide = -2.0 }
//! safe = { engagement = 1.0, engagement_bait = -5.0, hide = -5.0 }   # what the kill switch puts in force
//! on_model_failure = "fail"            # or "without"
//! on_model_change = "warn"             # or "hold": stay on the versions that the weights were tuned for
//! limit = 0                            # how many are returned when the request does not say; 0 is all
//! [profile.default.bounds]             # kept by every change that is not forced; each key may be left out
//! engagement_bait = { sign = "non_positive", min = -10.0, max = 0.0, max_step = 1.0 }
//! ```

mod check;
mod check_profile;
mod raw;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use counterweight_model::Calibrator;
use counterweight_ranking::{Bound, Weights};
use counterweight_weights::{self as weights, find_profile};
pub use counterweight_weights::{OnModelChange, StoreConfig};

use crate::error::{ConfigurationError, RequestError};

/// A checked configuration of one combiner.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the gRPC services listen.
    pub listen: SocketAddr,
    /// Where `/metrics` and `/healthz` listen; none means not at all.
    pub metrics_listen: Option<SocketAddr>,
    /// The name of this replica in answers.
    pub replica: String,
    /// Where the weights log is kept.
    pub store: StoreConfig,
    /// For how long a repeated idempotency key is recognised. Default and least: 7 days.
    pub key_horizon: Duration,
    /// Tensors of one element that segments may ask for although no model takes them. Names unique.
    pub attributes: Vec<String>,
    /// What bounds the server.
    pub limits: Limits,
    /// How much is kept of what was ranked.
    pub ring: Ring,
    /// The objectives, in order: the first is α, the second β. At least one, names unique.
    pub objectives: Vec<Objective>,
    /// The profiles, by name. At least one.
    pub profiles: Vec<Profile>,
}

/// What bounds the server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Ranking requests in flight; one more is answered RESOURCE_EXHAUSTED at once. Default 512.
    pub max_concurrent_requests: usize,
    /// The largest message that is taken, in bytes, of clients and of models. Default 64 MiB.
    pub max_message_bytes: usize,
    /// How long requests in flight may take once the server is told to stop. Default 10 s.
    pub drain: Duration,
}

/// How much is kept of what was ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Candidates of each profile; 0 keeps nothing. One that takes more than 256 bytes counts as several. Default 1,000,000.
    pub candidates: usize,
    /// How old a request may become. Default 60 minutes.
    pub window: Duration,
}

/// One objective.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Name.
    pub name: String,
    /// Where its probabilities come from.
    pub source: Source,
    /// Put on top of the source's probabilities; [`Calibrator::None`] leaves them.
    pub calibrator: Calibrator,
    /// Its usual probability, above 0: ramps scale its weight by it to measure angles. Default 1.
    pub base_rate: f64,
}

/// Where an objective's probabilities come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A model behind the Open Inference Protocol.
    Model(ModelSource),
    /// A probability column of the request.
    Column {
        /// The tensor's name.
        name: String,
    },
}

/// A model behind the Open Inference Protocol.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// `http://host:port` or `unix:/path`, at least one; requests are balanced over them.
    pub endpoints: Vec<String>,
    /// The model's name on the server.
    pub name: String,
    /// A pinned version; none means the served default.
    pub version: Option<String>,
    /// The output tensor with the probabilities. Default `probability`.
    pub output: String,
    /// The column of an output of shape [n, d], from 0. Default 0.
    pub column: usize,
    /// The longest a call may take, even when the caller allows more. Default 1 s.
    pub timeout: Duration,
    /// Numeric features packed into one tensor; none sends one tensor per feature.
    pub packed: Option<Packed>,
    /// Repeat context features to the number of candidates, for servers that do not broadcast.
    pub expand_context: bool,
}

/// Numeric features packed into one tensor of shape [n, d].
#[derive(Debug, Clone)]
pub struct Packed {
    /// The tensor's name.
    pub input: String,
    /// The features, in the order of the columns; a vector feature fills as many columns as it is wide.
    pub features: Vec<String>,
}

/// A named surface with its weights.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// Its objectives as positions in [`Config::objectives`], ascending.
    pub objectives: Vec<usize>,
    /// Their default weights, in the same order: used until the weights log sets others.
    pub weights: Weights,
    /// What the kill switch puts in force, in the same order; none refuses it.
    pub safe: Option<Weights>,
    /// How far each weight may lie and move, in the same order.
    pub bounds: Vec<Bound>,
    /// What happens when a model is replaced. Default [`OnModelChange::Warn`].
    pub on_model_change: OnModelChange,
    /// What happens when a model fails. Default [`Policy::Fail`].
    pub on_model_failure: Policy,
    /// How many candidates are returned when the request does not say; 0 returns all.
    pub limit: usize,
}

/// What a profile does when an objective's model fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The request fails.
    #[default]
    Fail,
    /// The remaining objectives rank, and the answer says so.
    Without,
}

impl Config {
    /// Reads a TOML file; a relative `store.path` is taken from the file's folder.
    ///
    /// # Errors
    /// A file that can not be read, a key that is not known, a value that makes no sense: each names its key.
    pub fn read(path: &Path) -> Result<Self, ConfigurationError> {
        let raw: raw::Config = counterweight_config::read_toml(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        check::config(raw, &path.display().to_string(), folder)
    }

    /// Parses a TOML text; `origin` names it in errors, and a relative `store.path` is taken from `folder`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, origin: &str, folder: &Path) -> Result<Self, ConfigurationError> {
        check::config(
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

    /// What the weights need to know of it.
    pub(crate) fn weights(&self) -> weights::Config {
        let profile = |profile: &Profile| weights::Profile {
            name: profile.name.clone(),
            objectives: profile
                .objectives
                .iter()
                .map(|&objective| self.objectives[objective].weights())
                .collect(),
            weights: profile.weights.clone(),
            safe: profile.safe.clone(),
            bounds: profile.bounds.clone(),
            on_model_change: profile.on_model_change,
        };
        weights::Config {
            replica: self.replica.clone(),
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

impl Objective {
    fn weights(&self) -> weights::Objective {
        weights::Objective {
            name: self.name.clone(),
            model: match &self.source {
                Source::Model(model) => model.name.clone(),
                Source::Column { name } => name.clone(),
            },
            base_rate: self.base_rate,
        }
    }
}
