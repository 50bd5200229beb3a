//! The part of a combiner's configuration that the weights need. The reader of the file checks it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use counterweight_clock::Clock;
use counterweight_config::did_you_mean;
use counterweight_ranking::{Bound, Weights};

#[cfg(feature = "nats")]
use crate::broker::BrokerUrl;
use crate::error::PlanError;

#[cfg(feature = "nats")]
const DEFAULT_STREAM: &str = "counterweight";
#[cfg(feature = "nats")]
const STREAM_MAX_BYTES: usize = 64;

/// The least time for which idempotency keys are recognised, and the default: a week.
pub const MIN_KEY_HORIZON: Duration = Duration::from_secs(7 * 24 * 3600);

/// The part of a combiner's configuration that the weights need.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of this replica in answers.
    pub replica: String,
    /// The time of entries, ramps and kills.
    pub clock: Arc<dyn Clock>,
    /// Where the log is kept.
    pub store: StoreConfig,
    /// For how long a repeated idempotency key is recognised. At least [`MIN_KEY_HORIZON`].
    pub key_horizon: Duration,
    /// The profiles; names unique. At least one.
    pub profiles: Vec<Arc<Profile>>,
}

impl Config {
    /// The position of the profile of that name; an empty name means `default`.
    ///
    /// # Errors
    /// [`PlanError::UnknownProfile`].
    pub fn profile(&self, name: &str) -> Result<usize, PlanError> {
        find_profile(name, self.profiles.iter().map(|profile| &*profile.name))
    }

    /// The position of the profile of exactly that name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.profiles.iter().position(|known| known.name == name)
    }
}

/// The position of a profile among those of these names; an empty name means `default`.
///
/// # Errors
/// [`PlanError::UnknownProfile`].
pub fn find_profile<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<usize, PlanError> {
    let name = if name.is_empty() { "default" } else { name };
    let position = known.clone().position(|known| known == name);
    position.ok_or_else(|| PlanError::UnknownProfile {
        profile: name.to_owned(),
        suggestion: did_you_mean(name, known.clone()),
        known: known.collect::<Vec<_>>().join(", "),
    })
}

/// A named surface of the product with its weights.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// Its objectives, in order. At least one, names unique.
    pub objectives: Vec<Objective>,
    /// Their default weights, in the same order: used until the log sets others.
    pub weights: Weights,
    /// What the kill switch puts in force, in the same order; none refuses it.
    pub safe: Option<Weights>,
    /// The bounds and the largest step of each weight, in the same order.
    pub bounds: Vec<Bound>,
    /// What happens when a model is replaced.
    pub on_model_change: OnModelChange,
}

impl Profile {
    /// Whether it stays on the models that its weights are bound to.
    pub(crate) fn holds_models(&self) -> bool {
        self.on_model_change == OnModelChange::Hold
    }

    /// The names of its objectives, in order.
    pub(crate) fn objective_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.objectives
            .iter()
            .map(|objective| objective.name.as_str())
    }
}

/// One objective of a profile.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Name.
    pub name: String,
    /// The name of its model on its server, or of its probability column in the request.
    pub model: String,
    /// Its usual probability, above 0: ramps scale its weight by it to measure angles.
    pub base_rate: f64,
}

/// What a profile does when the model that its weights were tuned for is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnModelChange {
    /// It ranks by the new version, and says that the weights are not confirmed for it.
    #[default]
    Warn,
    /// It stays on the version until the weights are confirmed for the new one.
    Hold,
}

/// Where the weights log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// A file on this machine, for one combiner.
    Embedded {
        /// The file.
        path: PathBuf,
    },
    /// A stream in NATS JetStream, for many combiners.
    #[cfg(feature = "nats")]
    Nats {
        /// The file of this combiner's copy.
        path: PathBuf,
        /// The servers, comma separated, each `nats://host:port`.
        url: BrokerUrl,
        /// The stream's name.
        stream: String,
    },
}

/// A setting of a store that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfigError {
    /// The setting: `nats` or `stream`.
    pub key: &'static str,
    /// What is wrong and what to write.
    pub problem: String,
}

impl StoreConfig {
    /// A stream in NATS JetStream at `url`, copied to the file `path`; the stream's name is
    /// `counterweight` unless another is given.
    ///
    /// # Errors
    /// An address or a name that NATS does not take; any at all in a build without the feature
    /// `nats`.
    #[cfg(feature = "nats")]
    pub fn nats(
        path: PathBuf,
        url: String,
        stream: Option<String>,
    ) -> Result<Self, StoreConfigError> {
        let url = BrokerUrl::new(url);
        for (server, shown) in url.servers().zip(url.addresses()) {
            if !server.starts_with("nats://") || server.parse::<async_nats::ServerAddr>().is_err() {
                return Err(StoreConfigError {
                    key: "nats",
                    problem: format!(
                        "{shown:?} is not the address of a server; write nats://HOST:PORT, comma separated for a cluster"
                    ),
                });
            }
        }
        let stream = stream.unwrap_or_else(|| DEFAULT_STREAM.to_owned());
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if stream.is_empty() || stream.len() > STREAM_MAX_BYTES || !stream.chars().all(fits) {
            return Err(StoreConfigError {
                key: "stream",
                problem: format!(
                    "{stream:?} is not a valid stream name: use 1 to {STREAM_MAX_BYTES} letters, digits, `-` or `_`"
                ),
            });
        }
        Ok(Self::Nats { path, url, stream })
    }

    /// As with the feature `nats`, which this build lacks.
    ///
    /// # Errors
    /// Always: this build has no NATS.
    #[cfg(not(feature = "nats"))]
    pub fn nats(
        _path: PathBuf,
        _url: String,
        _stream: Option<String>,
    ) -> Result<Self, StoreConfigError> {
        Err(StoreConfigError {
            key: "nats",
            problem: "this program was built without NATS; build it with the feature `nats`, or \
                      leave it out to keep the log in the file `path`"
                .to_owned(),
        })
    }
}

impl StoreConfig {
    /// The file on this machine: the log, or this combiner's copy of it.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Embedded { path } => path,
            #[cfg(feature = "nats")]
            Self::Nats { path, .. } => path,
        }
    }
}

impl fmt::Display for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { path } => path.display().fmt(f),
            #[cfg(feature = "nats")]
            Self::Nats { url, stream, .. } => {
                let hosts = url.addresses();
                let hosts: Vec<String> = hosts
                    .map(|url| url.trim_start_matches("nats://").to_owned())
                    .collect();
                write!(f, "nats://{} stream {stream}", hosts.join(","))
            }
        }
    }
}
