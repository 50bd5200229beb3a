//! The thread of a log that opens, converts and deletes. Where parts are uploaded, the thread that
//! uploads deletes: it knows which of them are not in the object store.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    clock::Clock,
    disk::Disk,
    error::JournalError,
    folder::JournalFolder,
    log_state::{Message, Shared},
    part_store::PartStore,
    parts::{Converted, convert},
    retention::retain,
    segment_writer::ClosedSegment,
    uploader::Uploader,
    wal::Wal,
};

/// Pauses after a failure to open the folder or to convert a segment.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often old parts are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// The thread that opens, converts and deletes.
pub(crate) struct Keeper {
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) closed: mpsc::Sender<Message>,
    pub(crate) messages: mpsc::Receiver<Message>,
    /// Segments that wait for their conversion, oldest first.
    pub(crate) backlog: VecDeque<ClosedSegment>,
}

impl Keeper {
    pub(crate) fn run(mut self, opened: &mpsc::Sender<()>) {
        let Some(folder) = self.open(opened) else {
            return;
        };
        // Only now: the writer's thread, for which callers may wait, inherits what this one has when
        // it starts.
        (self.shared.options.on_thread)();
        let mut pause = FIRST_PAUSE;
        let mut retained = None;
        let mut uploading = None;
        while !self.shared.closing.load(Relaxed) {
            if let Some(store) = &self.shared.options.store
                && uploading.as_ref().is_none_or(JoinHandle::is_finished)
            {
                uploading = self.start_uploader(&folder, store.clone());
            }
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
            if self.shared.options.store.is_none()
                && retained.is_none_or(|at: Instant| at.elapsed() >= RETAIN_EVERY)
            {
                self.retain(&folder);
                retained = Some(Instant::now());
            }
            if self.wait(wait) {
                break;
            }
        }
        // It has the folder too, which another log may open when this one is closed.
        if let Some(uploading) = uploading
            && uploading.join().is_err()
        {
            tracing::error!("the thread that uploads parts panicked");
        }
    }

    fn start_uploader(
        &self,
        folder: &Arc<JournalFolder>,
        store: PartStore,
    ) -> Option<JoinHandle<()>> {
        let (shared, folder) = (Arc::clone(&self.shared), Arc::clone(folder));
        let started = Uploader::start(shared, folder, Arc::clone(&self.clock), store);
        started.map_err(|error| self.shared.failed(&error)).ok()
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
        let convert = || convert(folder, segment, &options.parts, &options.decode);
        // What would happen again is not tried again, and the segment is evidence: it stays where it
        // is.
        match catch_unwind(AssertUnwindSafe(convert)) {
            Ok(Ok(converted)) => self.converted(&converted),
            Ok(Err(error)) if !error.is_lasting() => return Err(error),
            Ok(Err(error)) => {
                tracing::error!(%error, "a segment of the journal stays where it is");
                self.shared.status().unreadable += 1;
            }
            Err(_) => {
                let path = segment.path.display();
                tracing::error!(%path, "the conversion of a segment panicked; it stays where it is");
                self.shared.status().unreadable += 1;
            }
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
        self.shared.wake_uploader.notify_one();
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
