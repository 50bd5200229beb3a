//! How far a server is on its way from start to stop, and whether calls are still in progress.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// The state of a server's life; clones share it.
///
/// A server serves, then drains (health says NOT_SERVING, calls are still accepted), then closes
/// (new calls are refused, streams end, calls in progress are answered).
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    draining: CancellationToken,
    closing: CancellationToken,
    /// Every call in progress holds a receiver, so the channel closes when the last call ends.
    calls: Arc<watch::Sender<()>>,
}

/// A call in progress, until it is dropped.
#[derive(Debug)]
pub(crate) struct InProgress(
    #[expect(dead_code, reason = "held for its drop")] watch::Receiver<()>,
);

impl Lifecycle {
    /// True from the stop signal on.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// True once new calls are refused.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Resolves once new calls are refused. A stream that would never end by itself ends then.
    pub fn closing(&self) -> WaitForCancellationFuture<'_> {
        self.closing.cancelled()
    }

    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }

    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Counts a call as in progress, or returns `None` when new calls are refused.
    pub(crate) fn begin_call(&self) -> Option<InProgress> {
        // Counted before the check: a call that passes it is always waited for.
        let call = InProgress(self.calls.subscribe());
        (!self.is_closing()).then_some(call)
    }

    /// Resolves when no call is in progress.
    pub(crate) async fn calls_ended(&self) {
        self.calls.closed().await;
    }
}
