//! The settings of a model server.

use std::{path::PathBuf, time::Duration};

use crate::ModelServerError;

/// Settings of [`serve`](crate::serve).
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The repository: a folder with one *model folder* per model, named like the model.
    pub repository: PathBuf,
    /// Serve only these models of the repository; empty serves all.
    pub models: Vec<String>,
    /// How often the repository is checked for new versions; above zero.
    pub poll_interval: Duration,
    /// The largest request in bytes, after decompression. A larger one is refused: with
    /// OUT_OF_RANGE, or with RESOURCE_EXHAUSTED when it is compressed.
    pub max_message_bytes: usize,
    /// The most inference requests in progress at one time, at least 1. One more is refused at once
    /// with RESOURCE_EXHAUSTED.
    pub max_in_flight: usize,
    /// How long requests are still accepted after the stop signal while health says NOT_SERVING, so
    /// that load balancers turn away first.
    pub drain_grace: Duration,
    /// How long requests in progress may then take before the server stops without them.
    pub drain_timeout: Duration,
}

impl ServerConfig {
    /// The defaults: every model, one check a second, 64 MiB, 256 requests, no grace, 10 s for
    /// requests in progress.
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
    /// Refuses settings that make no sense.
    pub(crate) fn check(&self) -> Result<(), ModelServerError> {
        let setting = if self.poll_interval.is_zero() {
            "poll_interval"
        } else if self.max_in_flight == 0 {
            "max_in_flight"
        } else {
            return Ok(());
        };
        Err(ModelServerError::Setting {
            setting,
            expected: "above zero",
        })
    }
}
