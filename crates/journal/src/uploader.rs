//! The thread of a log that uploads parts to object storage. A part is deleted here when the store
//! has it: that it is still here is how a restart knows that it has to be uploaded.

use std::{
    collections::{HashSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::{Builder, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use parquet::file::metadata::ParquetMetaDataReader;
use tokio::{
    runtime::{self, Runtime},
    select,
    time::{Instant, sleep_until},
};

use crate::{
    clock::Clock,
    error::JournalError,
    folder::{JournalFolder, io_error, sequence_of},
    log_state::Shared,
    part_store::PartStore,
    retention::{Part, list_parts, parts_to_remove},
};

/// Pauses after a failure. A part of a pause is left to chance, so that many logs do not come back
/// to a store at once.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often parts that wait are counted, and those that are too old or too many deleted.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// Uploads the parts of a log, and deletes those that wait too long.
pub(crate) struct Uploader {
    shared: Arc<Shared>,
    folder: Arc<JournalFolder>,
    clock: Arc<dyn Clock>,
    store: PartStore,
    /// Parts to upload, oldest hour first.
    waiting: VecDeque<Part>,
    /// Parts of whose names the store has other objects. They are tried again at the next start.
    differing: HashSet<PathBuf>,
    retain_at: Instant,
}

impl Uploader {
    /// Starts the thread, which ends when the log is closed.
    pub(crate) fn start(
        shared: Arc<Shared>,
        folder: Arc<JournalFolder>,
        clock: Arc<dyn Clock>,
        store: PartStore,
    ) -> Result<JoinHandle<()>, JournalError> {
        let path = folder.path().to_owned();
        let failed = || io_error(&path, "the thread that uploads parts cannot start");
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed())?;
        let uploader = Self {
            shared,
            folder,
            clock,
            store,
            waiting: VecDeque::new(),
            differing: HashSet::new(),
            retain_at: Instant::now(),
        };
        let thread = Builder::new().name("log-upload".to_owned());
        thread
            .spawn(move || uploader.run_on(runtime))
            .map_err(failed())
    }

    fn run_on(self, runtime: Runtime) {
        (self.shared.options.on_thread)();
        runtime.block_on(self.run());
        // A name server that hangs does not hold up the end.
        runtime.shutdown_background();
    }

    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.closing() {
            match self.upload_next().await {
                Ok(true) => pause = FIRST_PAUSE,
                Ok(false) => self.wait_for_parts().await,
                Err(error) => {
                    self.failed(&error);
                    self.pause(pause.mul_f64(rand::random_range(0.5..=1.0)))
                        .await;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Tries to upload one part; false when none waits.
    async fn upload_next(&mut self) -> Result<bool, JournalError> {
        let now = Instant::now();
        if now >= self.retain_at {
            self.retain_at = now + RETAIN_EVERY;
            self.retain()?;
        }
        if self.waiting.is_empty() {
            self.look()?;
        }
        match self.waiting.pop_front() {
            // One that fails is found again when the others were tried.
            Some(part) => self.upload(part).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn upload(&mut self, part: Part) -> Result<(), JournalError> {
        let bytes = match self.folder.disk().read(&part.path, 0, usize::MAX) {
            Ok(bytes) => Bytes::from(bytes),
            // It was deleted since it was found.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error(&part.path, "cannot be read")(error)),
        };
        let name = part.path.strip_prefix(self.folder.path());
        let name = name.unwrap_or(&part.path).display().to_string();
        let put = select! {
            put = self.store.put(&name, bytes) => put,
            () = self.closed() => return Ok(()),
        };
        let is_there = put.map_err(|problem| JournalError::NotUploaded {
            path: part.path.clone(),
            url: self.store.url().to_owned(),
            problem,
        })?;
        if is_there {
            self.uploaded(&part)?;
        } else {
            let (path, url) = (part.path.display(), self.store.url());
            tracing::error!(%path, url, "the object store has another object of the name of this part; the part stays, move one of them away");
            self.differing.insert(part.path);
            self.shared.status().uploads.differing = self.differing.len() as u64;
        }
        Ok(())
    }

    fn uploaded(&self, part: &Part) -> Result<(), JournalError> {
        // Not synced: a part that a crash brings back is equal to its object.
        let removed = self.folder.disk().remove(&part.path);
        removed.map_err(io_error(&part.path, "is uploaded and cannot be removed"))?;
        let mut status = self.shared.status();
        let uploads = &mut status.uploads;
        uploads.problem = None;
        uploads.uploaded += 1;
        uploads.waiting_parts = uploads.waiting_parts.saturating_sub(1);
        uploads.waiting_bytes = uploads.waiting_bytes.saturating_sub(part.bytes);
        Ok(())
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join(self.shared.options.wal.kind.name())
    }

    /// Finds the parts that wait.
    fn look(&mut self) -> Result<(), JournalError> {
        let mut parts = list_parts(&**self.folder.disk(), &self.root())?;
        let found: HashSet<&Path> = parts.iter().map(|part| &*part.path).collect();
        self.differing.retain(|path| found.contains(&**path));
        let (count, bytes) = (
            parts.len() as u64,
            parts.iter().map(|part| part.bytes).sum(),
        );
        parts.retain(|part| !self.differing.contains(&part.path) && self.is_settled(part));
        self.waiting = parts.into();
        let mut status = self.shared.status();
        let uploads = &mut status.uploads;
        uploads.waiting_parts = count;
        uploads.waiting_bytes = bytes;
        uploads.differing = self.differing.len() as u64;
        if self.waiting.is_empty() {
            uploads.problem = None;
        }
        Ok(())
    }

    /// Whether the part cannot be made again. While its segment is there it could be, by a newer
    /// program even with other bytes.
    fn is_settled(&self, part: &Part) -> bool {
        let Some(sequence) = sequence_of(&part.path, ".parquet") else {
            return true;
        };
        let kind = self.shared.options.wal.kind;
        let segment = self.folder.segment_path(kind, sequence);
        let found = self.folder.disk().length(&segment);
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Deletes the parts that are too old or too many, and counts what is lost with them.
    fn retain(&mut self) -> Result<(), JournalError> {
        let disk = &**self.folder.disk();
        let retention = self.shared.options.retention;
        let now_ms = self.clock.now_ms();
        for part in parts_to_remove(disk, &self.root(), retention, now_ms)? {
            let rows = rows_of(disk.read(&part.path, 0, usize::MAX));
            let removed = disk.remove(&part.path);
            removed.map_err(io_error(&part.path, "cannot be removed"))?;
            let path = part.path.display();
            tracing::error!(%path, rows, "a part is deleted before it is uploaded");
            let mut status = self.shared.status();
            status.removed += 1;
            status.uploads.lost_rows += rows.unwrap_or(0);
            status.unreadable += u64::from(rows.is_none());
        }
        self.waiting.clear();
        Ok(())
    }

    /// Shows a failure.
    fn failed(&self, error: &JournalError) {
        tracing::warn!(%error, "parts of the journal cannot be uploaded at present");
        let mut status = self.shared.status();
        let uploads = &mut status.uploads;
        uploads.failures += 1;
        uploads.problem = Some(error.to_string());
    }

    fn closing(&self) -> bool {
        self.shared.closing.load(Relaxed)
    }

    async fn closed(&self) {
        while !self.closing() {
            self.shared.wake_uploader.notified().await;
        }
    }

    async fn pause(&self, pause: Duration) {
        select! {
            () = sleep_until(Instant::now() + pause) => {}
            () = self.closed() => {}
        }
    }

    /// Waits until there may be a part to upload or to delete.
    async fn wait_for_parts(&self) {
        select! {
            () = sleep_until(self.retain_at) => {}
            () = self.shared.wake_uploader.notified() => {}
        }
    }
}

/// The rows of a part, from its footer; none where it cannot be read.
fn rows_of(part: io::Result<Vec<u8>>) -> Option<u64> {
    let part = Bytes::from(part.ok()?);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&part).ok()?;
    u64::try_from(metadata.file_metadata().num_rows()).ok()
}
