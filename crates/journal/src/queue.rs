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
}

#[derive(Default)]
struct State {
    waiting: Vec<Queued>,
    /// The cost of what waits and of what the writer has taken and not finished.
    bytes: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound,
            state: Mutex::default(),
            filled: Condvar::new(),
            drops: Drops::default(),
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
        state.bytes += queued.cost();
        state.waiting.push(queued);
        if state.waiting.len() == 1 {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// All that waits, as soon as there is something, or nothing at the deadline; `None` once the
    /// queue is closed and empty. What was taken counts until [`finish`](Self::finish).
    pub(crate) fn take(&self, deadline: Instant) -> Option<Vec<Queued>> {
        let mut state = self.lock();
        loop {
            if !state.waiting.is_empty() {
                return Some(std::mem::take(&mut state.waiting));
            }
            if state.closed {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(Vec::new());
            }
            let woken = self.filled.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room that records take.
pub(crate) fn cost(batch: &[Queued]) -> usize {
    batch.iter().map(Queued::cost).sum()
}
