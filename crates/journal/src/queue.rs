//! The queue before the writer's thread, bounded in bytes. To offer a record never waits for a
//! disk.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{error::DropReason, segment::MAX_FRAME_BYTES};

/// What a waiting record costs beside its payload.
const RECORD_OVERHEAD: usize = 128;
/// How long the writer lets records gather when none of them is waited for. Waking it for each
/// record would cost the threads that offer them.
const GATHER: Duration = Duration::from_millis(5);

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its time, in milliseconds since 1970-01-01 UTC: it decides the segment.
    pub time_ms: i64,
    /// Its bytes; at least one.
    pub payload: Vec<u8>,
}

/// When a record has to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When its segment is closed.
    None,
    /// At most so long after it was written.
    Interval(Duration),
    /// Before its [`Receipt`] resolves.
    Request,
}

/// Resolves when the record is durable, or is lost.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<(), DropReason>>);

impl Future for Receipt {
    type Output = Result<(), DropReason>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A writer that is gone without an answer has written nothing more.
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(DropReason::Closed)))
    }
}

impl Receipt {
    /// Waits on a thread that is not part of an async runtime.
    ///
    /// # Errors
    /// Why the record is lost.
    pub fn wait(self) -> Result<(), DropReason> {
        self.0.blocking_recv().unwrap_or(Err(DropReason::Closed))
    }
}

/// A record on its way to the disk.
pub(crate) struct Queued {
    pub(crate) record: Record,
    pub(crate) durability: Durability,
    pub(crate) receipt: Option<oneshot::Sender<Result<(), DropReason>>>,
}

impl Queued {
    fn cost(&self) -> usize {
        self.record.payload.len() + RECORD_OVERHEAD
    }
}

/// Drops, counted by reason.
#[derive(Debug, Default)]
pub(crate) struct Drops([AtomicU64; DropReason::ALL.len()]);

impl Drops {
    pub(crate) fn add(&self, reason: DropReason, count: u64) {
        self.0[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}

pub(crate) struct Queue {
    bound: usize,
    state: Mutex<State>,
    filled: Condvar,
    pub(crate) drops: Drops,
    pub(crate) written: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: Vec<Queued>,
    /// The cost of what waits and of what the writer has taken and not finished.
    bytes: usize,
    /// Whether someone waits for a record that waits.
    urgent: bool,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound,
            state: Mutex::default(),
            filled: Condvar::new(),
            drops: Drops::default(),
            written: AtomicU64::new(0),
        }
    }

    /// Takes the record, or counts why not.
    pub(crate) fn offer(
        &self,
        record: Record,
        durability: Durability,
    ) -> Result<Option<Receipt>, DropReason> {
        let (receipt, answer) = match durability {
            Durability::Request => {
                let (sender, receiver) = oneshot::channel();
                (Some(sender), Some(Receipt(receiver)))
            }
            _ => (None, None),
        };
        let queued = Queued {
            record,
            durability,
            receipt,
        };
        match self.push(queued) {
            Ok(()) => Ok(answer),
            Err(reason) => {
                self.drops.add(reason, 1);
                Err(reason)
            }
        }
    }

    fn push(&self, queued: Queued) -> Result<(), DropReason> {
        let length = queued.record.payload.len();
        if length > MAX_FRAME_BYTES || queued.cost() > self.bound {
            return Err(DropReason::TooLarge);
        }
        let mut state = self.lock();
        if state.closed {
            return Err(DropReason::Closed);
        }
        if state.bytes + queued.cost() > self.bound {
            return Err(DropReason::QueueFull);
        }
        let urgent = queued.receipt.is_some() && !state.urgent;
        state.bytes += queued.cost();
        state.urgent |= urgent;
        state.waiting.push(queued);
        let wake = urgent || state.waiting.len() == 1;
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// All that waits, as soon as there is something, or nothing at the deadline; `None` once the
    /// queue is closed and empty. What was taken counts until [`finish`](Self::finish).
    pub(crate) fn take(&self, deadline: Instant) -> Option<Vec<Queued>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let gathering = |state: &mut State| !state.urgent && !state.closed;
        let mut state = self.wait(self.lock(), left, idle);
        if !state.waiting.is_empty() {
            state = self.wait(state, GATHER, gathering);
        }
        if state.waiting.is_empty() && state.closed {
            return None;
        }
        state.urgent = false;
        Some(std::mem::take(&mut state.waiting))
    }

    /// Gives back the room of records that were taken.
    pub(crate) fn finish(&self, bytes: usize) {
        self.lock().bytes -= bytes;
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Closes the queue and counts what nobody will write.
    pub(crate) fn abandon(&self) {
        self.close();
        let left = std::mem::take(&mut self.lock().waiting);
        self.drops.add(DropReason::Closed, left.len() as u64);
    }

    /// Waits while a condition holds, at most so long.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Duration,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.filled.wait_timeout_while(state, limit, condition);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room that records take.
pub(crate) fn cost(batch: &[Queued]) -> usize {
    batch.iter().map(Queued::cost).sum()
}
