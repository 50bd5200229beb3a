//! The settings of a model server.

use std::{path::PathBuf, time::Duration};

use counterweight_serving::Limits;

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
    /// What bounds the server. ModelInfer is the method whose calls in progress are limited.
    pub limits: Limits,
}

impl ServerConfig {
    /// The defaults: every model, one check a second, 256 requests in progress.
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

    /// Refuses settings that make no sense.
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
