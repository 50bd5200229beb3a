//! What an operator decides about a model server.

use std::{path::PathBuf, time::Duration};

/// Settings of [`serve`](crate::serve).
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The repository: a folder with one *model folder* per model, named as the model.
    pub repository: PathBuf,
    /// Only these models of the repository; empty for all.
    pub models: Vec<String>,
    /// How often the repository is looked through for new versions; above zero.
    pub poll_interval: Duration,
    /// Largest request that is decoded, in bytes. A larger one is answered with OUT_OF_RANGE.
    pub max_message_bytes: usize,
    /// Most inference requests in work at one time, at least 1. One more is answered with RESOURCE_EXHAUSTED at once.
    pub max_in_flight: usize,
    /// How long requests are still taken after the shutdown signal while health says NOT_SERVING, so that load
    /// balancers turn away first.
    pub drain_grace: Duration,
    /// How long requests in flight may then take before the server stops without them.
    pub drain_timeout: Duration,
}

impl ServerConfig {
    /// The defaults: every model, one look a second, 64 MiB, 256 requests, no grace, 10 s for requests in flight.
    pub fn new(repository: impl Into<PathBuf>) -> Self {
        Self {
            repository: repository.into(),
            models: Vec::new(),
            poll_interval: Duration::from_secs(1),
            max_message_bytes: 64 << 20,
            max_in_flight: 256,
            drain_grace: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
        }
    }
}
