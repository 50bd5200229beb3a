//! WatchWeights: one task per watcher, so that a slow one holds up nobody. Watchers at the end of
//! the log share one message per entry; one that is behind reads few entries at a time; one that
//! does not read is dropped, and says from which revision it can watch again.

use std::{
    future::ready,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use counterweight_proto::counterweight::v1 as pb;
use counterweight_serving::Lifecycle;
use futures::{Stream, StreamExt as _, stream};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::encode;
use crate::{
    engine::Engine,
    error::RequestError,
    weights::{Entry, PlanError},
};

/// Entries that a watcher who is behind reads at once, and the most bytes of them. It holds them
/// while it is waited for, and there may be thousands of watchers.
const READ_AHEAD: usize = 64;
const READ_BYTES: usize = 16 << 10;

/// What goes to a watcher: one message, however many watchers there are.
type Message = Arc<pb::WatchWeightsResponse>;

/// The message of the newest entry, which all watchers at the end of the log share.
#[derive(Debug, Default)]
pub(crate) struct NewestMessage(Mutex<Option<(u64, Message)>>);

impl NewestMessage {
    fn of(&self, entry: &Entry) -> Message {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            Some((revision, message)) if *revision == entry.revision => Arc::clone(message),
            _ => {
                let message = message(entry);
                *newest = Some((entry.revision, Arc::clone(&message)));
                message
            }
        }
    }
}

fn message(entry: &Entry) -> Message {
    Arc::new(pb::WatchWeightsResponse {
        entry: Some(encode::entry(entry)),
    })
}

/// Starts a watch from a revision on; 0 begins with the next entry.
pub(super) fn watch(
    engine: &Arc<Engine>,
    lifecycle: &Lifecycle,
    newest: &Arc<NewestMessage>,
    from_revision: u64,
) -> Result<impl Stream<Item = Result<pb::WatchWeightsResponse, Status>> + Send + use<>, RequestError>
{
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
    let (end, ended) = oneshot::channel();
    let watch = Watch {
        engine: Arc::clone(engine),
        lifecycle: lifecycle.clone(),
        newest: Arc::clone(newest),
        outlet: Outlet {
            sender,
            patience: engine.config.limits.send_timeout,
        },
        next,
    };
    tokio::spawn(async move {
        if let Err(error) = watch.run().await {
            // The watcher may have gone.
            let _ = end.send(Status::from(error));
        }
    });
    let entries = ReceiverStream::new(receiver).map(|message| Ok(Arc::unwrap_or_clone(message)));
    let status = stream::once(ended).filter_map(|status| ready(status.ok().map(Err)));
    Ok(entries.chain(status))
}

/// One watcher: reads the log from a revision on, and waits at its end.
struct Watch {
    engine: Arc<Engine>,
    lifecycle: Lifecycle,
    newest: Arc<NewestMessage>,
    outlet: Outlet,
    next: u64,
}

impl Watch {
    async fn run(mut self) -> Result<(), RequestError> {
        self.engine.metrics.watchers.inc();
        let lifecycle = self.lifecycle.clone();
        let end = tokio::select! {
            end = self.follow() => end,
            () = lifecycle.closing() => Err(RequestError::Draining),
        };
        self.engine.metrics.watchers.dec();
        end
    }

    /// Ends when the watcher has gone.
    async fn follow(&mut self) -> Result<(), RequestError> {
        let mut newest = self.engine.weights.subscribe();
        loop {
            let signalled = newest.borrow_and_update().clone();
            let messages = match signalled {
                Some(entry) if entry.revision == self.next => vec![self.newest.of(&entry)],
                _ => self.read().await?.iter().map(message).collect(),
            };
            for message in messages {
                if !self.outlet.send(message, self.next).await? {
                    return Ok(());
                }
                self.next += 1;
            }
            if self.next <= self.engine.weights.applied() {
                continue;
            }
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return Ok(()) },
                () = self.outlet.sender.closed() => return Ok(()),
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
        let weights = &self.engine.weights;
        Ok(weights.read_within(self.next, count, READ_BYTES).await?)
    }
}

/// The way to a watcher.
struct Outlet {
    sender: mpsc::Sender<Message>,
    /// How long a watcher may read nothing while an entry waits for it.
    patience: Duration,
}

impl Outlet {
    /// Sends the message of a revision; false when the watcher has gone.
    ///
    /// # Errors
    /// The watcher does not read.
    async fn send(&self, message: Message, revision: u64) -> Result<bool, RequestError> {
        match timeout(self.patience, self.sender.send(message)).await {
            Ok(sent) => Ok(sent.is_ok()),
            Err(_) => Err(RequestError::WatcherTooSlow { revision }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_that_does_not_read_is_dropped_with_the_revision_that_it_needs() {
        let (sender, mut receiver) = mpsc::channel(1);
        let outlet = Outlet {
            sender,
            patience: Duration::from_millis(10),
        };
        let message = || Arc::new(pb::WatchWeightsResponse::default());
        assert!(outlet.send(message(), 7).await.unwrap());
        let status = Status::from(outlet.send(message(), 8).await.unwrap_err());
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert!(
            status.message().contains("watch again from revision 8"),
            "{}",
            status.message()
        );
        // One who reads late reads on.
        receiver.recv().await.unwrap();
        assert!(outlet.send(message(), 8).await.unwrap());
        drop(receiver);
        assert!(!outlet.send(message(), 9).await.unwrap());
    }
}
