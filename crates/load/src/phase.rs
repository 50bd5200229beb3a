//! What the closed and the open loop are given: requests, a recorder and a time.

use std::{sync::Arc, time::Duration};

use crate::{request::Prepared, tally::Recorder};

/// Requests to send, where to count them, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Phase {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) timeout: Duration,
    pub(crate) length: Duration,
}
