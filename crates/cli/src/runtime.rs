//! The asynchronous runtime that a command runs on.

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

/// A runtime with one worker per core.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
