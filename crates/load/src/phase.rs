//! The input of the closed and the open loop.

use std::{sync::Arc, time::Duration};

use crate::{request::Prepared, tally::Recorder};

/// Requests to send, the recorder that counts them, and the length of the phase.
#[derive(Debug, Clone)]
pub(crate) struct Phase {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) timeout: Duration,
    pub(crate) length: Duration,
}
