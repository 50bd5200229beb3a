//! A log that runs by itself: it opens its folder, writes, converts segments to parts and deletes
//! old ones. Whatever fails is tried again, and what is lost meanwhile is counted.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed, mpsc},
    thread::{Builder, JoinHandle},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::{
    clock::Clock,
    disk::Disk,
    error::{DropReason, JournalError},
    folder::io_error,
    keeper::Keeper,
    log_state::{LogOptions, LogStatus, Message, Shared},
    parts::check,
    queue::{Durability, Receipt, Record},
    wal::Wal,
};

/// How long the start waits for the folder to be opened.
const FIRST_OPEN: Duration = Duration::from_secs(10);

/// A log of one kind.
pub struct Log {
    shared: Arc<Shared>,
    wake: mpsc::Sender<Message>,
    /// None once it is closed.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Starts the thread, which opens the folder.
    ///
    /// # Errors
    /// [`JournalError::Option`], or the thread cannot start. A folder that cannot be opened is no
    /// error: it is tried again.
    pub fn start(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: LogOptions,
    ) -> Result<Self, JournalError> {
        options.wal.check()?;
        check(&options.parts)?;
        let path = options.path.clone();
        let shared = Arc::new(Shared::new(options));
        let (wake, messages) = mpsc::channel();
        let keeper = Keeper {
            shared: Arc::clone(&shared),
            disk,
            clock,
            closed: wake.clone(),
            messages,
            backlog: VecDeque::new(),
        };
        let (opened, ready) = mpsc::channel();
        let thread = Builder::new()
            .name("log-parts".to_owned())
            .spawn(move || keeper.run(&opened));
        let thread = thread.map_err(io_error(&path, "the thread of the log cannot start"))?;
        // The first attempt is awaited, so that a log that works has every record. A disk that hangs
        // does not hold up the start.
        let _ = ready.recv_timeout(FIRST_OPEN);
        Ok(Self {
            shared,
            wake,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands on a record without waiting. With [`Durability::Request`] the receipt resolves when
    /// the record is durable.
    ///
    /// # Errors
    /// Why the record is dropped; it is counted.
    pub fn offer(
        &self,
        record: Record,
        durability: Durability,
    ) -> Result<Option<Receipt>, DropReason> {
        let Some(wal) = self.shared.wal.get() else {
            return Err(self.shared.dropped(DropReason::NotOpen));
        };
        if self.shared.backlog_bytes.load(Relaxed) > self.shared.options.retention.most_bytes {
            return Err(self.shared.dropped(DropReason::Backlog));
        }
        wal.offer(record, durability)
    }

    /// Hands on a record, and with [`Durability::Request`] waits until it is durable.
    ///
    /// # Errors
    /// Why the record is dropped or lost; it is counted.
    pub async fn write(&self, record: Record, durability: Durability) -> Result<(), DropReason> {
        match self.offer(record, durability)? {
            Some(receipt) => receipt.await,
            None => Ok(()),
        }
    }

    /// Counts a record that its maker could not make, and returns why.
    pub fn drop_one(&self, reason: DropReason) -> DropReason {
        self.shared.dropped(reason)
    }

    /// What the log has done.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        let mut status = self.shared.status().clone();
        let wal = self.shared.wal.get();
        let count = |reason| {
            let by_wal = wal.map_or(0, |wal| wal.dropped(reason));
            (reason, self.shared.drops.get(reason) + by_wal)
        };
        status.dropped = DropReason::ALL.map(count).to_vec();
        status.written = wal.map_or(0, Wal::written);
        status.backlog_bytes = self.shared.backlog_bytes.load(Relaxed);
        status
    }

    /// Writes and syncs what waits, and ends the threads. The last segment becomes a part at the
    /// next start.
    pub fn close(&self) {
        self.shared.close();
        let _ = self.wake.send(Message::Stop);
        if let Some(wal) = self.shared.wal.get() {
            wal.close();
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that converts segments panicked");
        }
    }

    /// Closes the log and waits for it, at most for `limit`: a disk that hangs does not delay a stop.
    pub async fn close_within(self: &Arc<Self>, limit: Duration) {
        let (sender, closed) = oneshot::channel();
        let log = Arc::clone(self);
        // Not a thread of the runtime, which waits for its threads when it ends.
        let closing = Builder::new().name("log-close".to_owned()).spawn(move || {
            log.close();
            let _ = sender.send(());
        });
        if closing.is_err() || timeout(limit, closed).await.is_err() {
            let path = self.shared.options.path.display();
            tracing::error!(%path, ?limit, "the log is not closed yet; what waits may be lost");
        }
    }
}

impl Drop for Log {
    /// The threads end by themselves. Nobody waits for a disk that hangs.
    fn drop(&mut self) {
        self.shared.close();
        let _ = self.wake.send(Message::Stop);
    }
}
