//! A log that runs by itself: it opens its folder, writes, converts segments to parts and deletes
//! old ones. Whatever fails is tried again, and what is lost meanwhile is counted.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    clock::Clock,
    disk::Disk,
    error::{DropReason, JournalError},
    folder::{JournalFolder, io_error},
    parts::{Converted, PartOptions, check, convert},
    queue::{Drops, Durability, Receipt, Record},
    retention::{Retention, retain},
    segment_writer::{ClosedSegment, WalOptions},
    table::Columns,
    wal::Wal,
};

/// Pauses after a failure to open the folder or to convert a segment.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often old parts are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The folder of the journal.
    pub path: PathBuf,
    /// How records are written.
    pub wal: WalOptions,
    /// How parts are written.
    pub parts: PartOptions,
    /// Which parts are kept. Segments that wait for their conversion may take as many bytes.
    pub retention: Retention,
    /// The rows of a record's payload, or why there are none.
    pub decode: fn(&[u8]) -> Result<Columns, String>,
    /// Called once by the thread that converts, which should not take time from other work.
    pub on_thread: fn(),
}

/// What a log has done since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Why the log does not work at present.
    pub problem: Option<String>,
    /// Records that were dropped, by reason.
    pub dropped: Vec<(DropReason, u64)>,
    /// Records that were written to a segment.
    pub written: u64,
    /// Parts that were written.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Records that are in no part, since they could not be read: damaged, or of a newer program.
    pub unreadable: u64,
    /// Columns of records that were left out, since their type had changed.
    pub left_out: u64,
    /// Parts that were deleted by age or by bytes.
    pub removed: u64,
    /// Bytes of the segments that wait for their conversion.
    pub backlog_bytes: u64,
}

impl LogStatus {
    /// What an operator should know about a log: why it does not work, and what was lost.
    #[must_use]
    pub fn notes(&self, log: &str) -> Vec<String> {
        let problem = self.problem.iter();
        let mut notes: Vec<String> = problem
            .map(|problem| format!("{log} does not work: {problem}"))
            .collect();
        let lost = self.dropped.iter().filter(|(_, count)| *count > 0);
        notes.extend(lost.map(|(reason, count)| format!("{log} lost {count} records: {reason}")));
        if self.unreadable > 0 {
            let count = self.unreadable;
            notes.push(format!("{log} has {count} records that cannot be read"));
        }
        notes
    }
}

/// A log of one kind.
pub struct Log {
    shared: Arc<Shared>,
    wake: mpsc::Sender<Message>,
    /// None once it is closed.
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    options: LogOptions,
    /// None until the folder is open.
    wal: OnceLock<Wal>,
    /// Drops before anything was written.
    drops: Drops,
    backlog_bytes: AtomicU64,
    closing: AtomicBool,
    status: Mutex<LogStatus>,
}

enum Message {
    Closed(ClosedSegment),
    Stop,
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
        let shared = Arc::new(Shared {
            options,
            wal: OnceLock::new(),
            drops: Drops::default(),
            backlog_bytes: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            status: Mutex::default(),
        });
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
        // The first attempt is awaited, so that a log that works has every record.
        let _ = ready.recv();
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
        self.shared.closing.store(true, Relaxed);
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
}

impl Drop for Log {
    /// The threads end by themselves. Nobody waits for a disk that hangs.
    fn drop(&mut self) {
        self.shared.closing.store(true, Relaxed);
        let _ = self.wake.send(Message::Stop);
    }
}

impl Shared {
    fn dropped(&self, reason: DropReason) -> DropReason {
        self.drops.add(reason, 1);
        reason
    }

    fn status(&self) -> MutexGuard<'_, LogStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a failure, and logs it when it is new.
    fn failed(&self, error: &JournalError) {
        let problem = error.to_string();
        let mut status = self.status();
        if status.problem.as_ref() != Some(&problem) {
            tracing::error!(%error, "the journal does not work at present; it tries again");
        }
        status.problem = Some(problem);
    }
}

/// The thread that opens, converts and deletes.
struct Keeper {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    closed: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
    /// Segments that wait for their conversion, oldest first.
    backlog: VecDeque<ClosedSegment>,
}

impl Keeper {
    fn run(mut self, opened: &mpsc::Sender<()>) {
        (self.shared.options.on_thread)();
        let Some(folder) = self.open(opened) else {
            return;
        };
        let mut pause = FIRST_PAUSE;
        let mut retained = None;
        while !self.shared.closing.load(Relaxed) {
            let wait = match self.convert_next(&folder) {
                Ok(true) => {
                    pause = FIRST_PAUSE;
                    Duration::ZERO
                }
                Ok(false) => RETAIN_EVERY,
                Err(error) => {
                    self.shared.failed(&error);
                    pause = (2 * pause).min(LONGEST_PAUSE);
                    pause
                }
            };
            if retained.is_none_or(|at: Instant| at.elapsed() >= RETAIN_EVERY) {
                self.retain(&folder);
                retained = Some(Instant::now());
            }
            if self.wait(wait) {
                return;
            }
        }
    }

    /// Opens the folder, however long that takes; none when the log is closed meanwhile.
    fn open(&mut self, opened: &mpsc::Sender<()>) -> Option<Arc<JournalFolder>> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_open() {
                Ok(folder) => {
                    self.shared.status().problem = None;
                    let _ = opened.send(());
                    return Some(folder);
                }
                Err(error) => self.shared.failed(&error),
            }
            let _ = opened.send(());
            if self.wait(pause) {
                return None;
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    fn try_open(&self) -> Result<Arc<JournalFolder>, JournalError> {
        let options = &self.shared.options;
        let folder = JournalFolder::open(Arc::clone(&self.disk), &options.path)?;
        let folder = Arc::new(folder);
        let (closed, shared) = (self.closed.clone(), Arc::clone(&self.shared));
        let (wal, recovered) = Wal::start(
            Arc::clone(&folder),
            Arc::clone(&self.clock),
            options.wal.clone(),
            move |segment| {
                shared.backlog_bytes.fetch_add(segment.bytes, Relaxed);
                let _ = closed.send(Message::Closed(segment));
            },
        )?;
        for refused in &recovered.refused {
            tracing::error!(error = %refused, "a segment of the journal stays where it is");
        }
        if recovered.segments > 0 {
            tracing::info!(
                segments = recovered.segments,
                records = recovered.records,
                torn_bytes = recovered.torn_bytes,
                "recovered the segments of the journal"
            );
        }
        // Only this thread sets it.
        let _ = self.shared.wal.set(wal);
        Ok(folder)
    }

    /// Converts the oldest segment that waits; false when none does.
    fn convert_next(&mut self, folder: &JournalFolder) -> Result<bool, JournalError> {
        let Some(segment) = self.backlog.front() else {
            return Ok(false);
        };
        let bytes = segment.bytes;
        let options = &self.shared.options;
        match convert(folder, segment, &options.parts, &options.decode) {
            Ok(converted) => self.converted(&converted),
            // The same would happen again, and the segment is evidence: it stays where it is.
            Err(error) if error.is_lasting() => {
                tracing::error!(%error, "a segment of the journal stays where it is");
                self.shared.status().unreadable += 1;
            }
            Err(error) => return Err(error),
        }
        self.backlog.pop_front();
        self.shared.backlog_bytes.fetch_sub(bytes, Relaxed);
        self.shared.status().problem = None;
        Ok(true)
    }

    fn converted(&self, converted: &Converted) {
        let mut status = self.shared.status();
        status.parts += u64::from(converted.part.is_some());
        status.rows += converted.rows;
        status.unreadable += converted.refused + converted.damaged.len() as u64;
        status.left_out += converted.left_out;
        drop(status);
        if let Some(why) = &converted.first_refusal {
            tracing::error!(
                records = converted.refused,
                why,
                "records of the journal cannot be read and are in no part"
            );
        }
        if let Some(why) = &converted.first_left_out {
            tracing::warn!(columns = converted.left_out, why, "values are left out");
        }
    }

    fn retain(&self, folder: &JournalFolder) {
        let options = &self.shared.options;
        let (kind, now_ms) = (options.wal.kind, self.clock.now_ms());
        match retain(folder, kind, options.retention, now_ms) {
            Ok(removed) => self.shared.status().removed += removed.parts,
            Err(error) => self.shared.failed(&error),
        }
    }

    /// Waits for segments, at most so long; true when the log is closed.
    fn wait(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(Message::Closed(segment)) => {
                    let first = self.backlog.is_empty();
                    self.backlog.push_back(segment);
                    if first {
                        return false;
                    }
                }
                Ok(Message::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return true,
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}
