//! What a log and its thread share: how it is kept, and what it has done.

use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

use crate::{
    error::{DropReason, JournalError},
    part_store::PartStore,
    parts::PartOptions,
    queue::Drops,
    retention::Retention,
    segment_writer::{ClosedSegment, WalOptions},
    table::Columns,
    upload_status::UploadStatus,
    wal::Wal,
};

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
    /// Where parts are uploaded to. Only those that wait for that are then in the folder.
    pub store: Option<PartStore>,
    /// The rows of a record's payload, or why there are none.
    pub decode: fn(&[u8]) -> Result<Columns, String>,
    /// Called once by the threads that convert and upload, which should not take time from other
    /// work.
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
    /// What became of the parts that are uploaded.
    pub uploads: UploadStatus,
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
        notes.extend(self.uploads.notes(log));
        notes
    }
}

/// What a log and its thread share.
pub(crate) struct Shared {
    pub(crate) options: LogOptions,
    /// None until the folder is open.
    pub(crate) wal: OnceLock<Wal>,
    /// Drops before anything was written.
    pub(crate) drops: Drops,
    pub(crate) backlog_bytes: AtomicU64,
    pub(crate) closing: AtomicBool,
    /// There is a part to upload, or the log is closed.
    pub(crate) wake_uploader: Notify,
    pub(crate) status: Mutex<LogStatus>,
}

/// A message to the thread.
pub(crate) enum Message {
    Closed(ClosedSegment),
    Stop,
}

impl Shared {
    pub(crate) fn new(options: LogOptions) -> Self {
        Self {
            options,
            wal: OnceLock::new(),
            drops: Drops::default(),
            backlog_bytes: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            wake_uploader: Notify::new(),
            status: Mutex::default(),
        }
    }

    /// Tells the threads to end.
    pub(crate) fn close(&self) {
        self.closing.store(true, Relaxed);
        self.wake_uploader.notify_one();
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> DropReason {
        self.drops.add(reason, 1);
        reason
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, LogStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a failure, and logs it when it is new.
    pub(crate) fn failed(&self, error: &JournalError) {
        let problem = error.to_string();
        let mut status = self.status();
        if status.problem.as_ref() != Some(&problem) {
            tracing::error!(%error, "the journal does not work at present; it tries again");
        }
        status.problem = Some(problem);
    }
}
