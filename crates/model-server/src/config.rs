//! The settings of a model server.

use std::{path::PathBuf, time::Duration};

use counterweight_serving::Limits;

use crate::ModelServerError;

/// Settings of [`serve`](crate::serve).
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The repository: a folder with one *model folder* per model, whose name is that of the model.
    pub repository: PathBuf,
    /// The models of the repository to serve; if empty, all are served.
    pub models: Vec<String>,
    /// How often the repository is checked for new versions; above zero.
    pub poll_interval: Duration,
    /// The limits of the server. Of its methods, only ModelInfer has a limit on calls in progress.
    pub limits: Limits,
}

impl ServerConfig {
    /// The default settings: every model, one check per second, 256 requests in progress.
    pub fn new(repository: impl Into<PathBuf>) -> Self {
        Self {
            repository: repository.into(),
            models: Vec::new(),
            poll_interval: Duration::from_secs(1),
            limits: Limits {
                max_concurrent_requests: 256,
                ..Limits::default()
            },
        }
    }

    /// Rejects settings that are out of range.
    pub(crate) fn check(&self) -> Result<(), ModelServerError> {
        match self.poll_interval.is_zero() {
            true => Err(ModelServerError::Setting {
                setting: "poll_interval",
                expected: "above zero",
            }),
            false => Ok(()),
        }
    }
}
