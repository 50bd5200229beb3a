//! WatchWeights: one task per watcher, so that a slow watcher delays no other.

use std::sync::Arc;

use counterweight_proto::counterweight::v1 as pb;
use counterweight_serving::Lifecycle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::encode;
use crate::{
    engine::Engine,
    error::RequestError,
    weights::{Entry, PlanError},
};

/// Entries per read of a watcher that catches up.
const READ_AHEAD: usize = 256;

/// Starts a watch from a revision on; 0 begins with the next entry.
pub(super) fn watch(
    engine: &Arc<Engine>,
    lifecycle: &Lifecycle,
    from_revision: u64,
) -> Result<ReceiverStream<Result<pb::WatchWeightsResponse, Status>>, RequestError> {
    let last = engine.weights.applied();
    let next = match from_revision {
        0 => last + 1,
        revision if revision > last + 1 => {
            return Err(PlanError::FutureRevision {
                field: "from_revision",
                revision,
                last,
            }
            .into());
        }
        revision => revision,
    };
    // One entry in flight: a slow watcher waits in its own task and nowhere else.
    let (sender, receiver) = mpsc::channel(1);
    let watch = Watch {
        engine: Arc::clone(engine),
        lifecycle: lifecycle.clone(),
        sender,
        next,
    };
    tokio::spawn(watch.run());
    Ok(ReceiverStream::new(receiver))
}

/// One watcher: reads the log from a revision on, and waits at its end.
struct Watch {
    engine: Arc<Engine>,
    lifecycle: Lifecycle,
    sender: mpsc::Sender<Result<pb::WatchWeightsResponse, Status>>,
    next: u64,
}

impl Watch {
    async fn run(mut self) {
        self.engine.metrics.watchers.inc();
        let lifecycle = self.lifecycle.clone();
        let end = tokio::select! {
            end = self.follow() => end,
            () = lifecycle.closing() => Err(RequestError::Draining),
        };
        self.engine.metrics.watchers.dec();
        if let Err(error) = end {
            // The server does not wait for a watcher that has not read the last entry: its stream
            // ends.
            let _ = self.sender.try_send(Err(error.into()));
        }
    }

    /// Ends when the watcher has gone.
    async fn follow(&mut self) -> Result<(), RequestError> {
        let mut newest = self.engine.weights.subscribe();
        loop {
            let signalled = newest.borrow_and_update().clone();
            match signalled {
                Some(entry) if entry.revision == self.next => {
                    if !self.send(&entry).await {
                        return Ok(());
                    }
                }
                _ => {
                    for entry in self.read().await? {
                        if !self.send(&entry).await {
                            return Ok(());
                        }
                    }
                }
            }
            if self.next <= self.engine.weights.applied() {
                continue;
            }
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return Ok(()) },
                () = self.sender.closed() => return Ok(()),
            }
        }
    }

    async fn read(&self) -> Result<Vec<Entry>, RequestError> {
        let applied = self.engine.weights.applied();
        if self.next > applied {
            return Ok(Vec::new());
        }
        let applied = usize::try_from(applied + 1 - self.next).unwrap_or(usize::MAX);
        let count = READ_AHEAD.min(applied);
        Ok(self.engine.weights.read(self.next, count).await?)
    }

    async fn send(&mut self, entry: &Entry) -> bool {
        self.next = entry.revision + 1;
        let message = pb::WatchWeightsResponse {
            entry: Some(encode::entry(entry)),
        };
        self.sender.send(Ok(message)).await.is_ok()
    }
}
