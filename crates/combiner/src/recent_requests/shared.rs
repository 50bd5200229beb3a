//! The state that Rank and the worker of the recent requests share.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::{inbox::Inbox, record::Recent};

/// The inboxes, and whether the worker has been woken for their content.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) started: Instant,
    /// The most candidates that an inbox, and a sample, hold.
    pub(super) bound: usize,
    /// In the order of the configured profiles.
    pub(super) inboxes: Vec<Inbox>,
    /// True after the worker was woken for the present content of the inboxes.
    pub(super) woken: AtomicBool,
}

/// A function over the recent requests, by profile.
pub(super) type Work = Box<dyn FnOnce(&[Recent]) + Send>;

/// A message to the worker.
pub(super) enum Job {
    Work(Work),
    Stop,
}

impl Shared {
    /// Milliseconds since the recent requests began to be kept.
    pub(super) fn at_ms(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
