//! The embedded log: one file, one line per entry, locked, and synced before an entry is
//! acknowledged.
//!
//! A line without its newline at the end of the file is an unfinished write that was never
//! acknowledged: it is moved aside on opening. Anything else that is not as written is an error
//! that names the entry, and nothing is changed. Work that blocks on the disk runs on threads that
//! may block.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use counterweight_files::{parent_folder, sync_folder, write_file};
use tokio::{sync::watch, task::spawn_blocking};

use super::{
    Appended, StoreHealth,
    index::LogIndex,
    line::{LogPosition, Scan, decode_line, encode_line, read_line, reader_at, scan},
    snapshot,
};
use crate::{
    entry::{Entry, Sealed},
    error::StoreError,
    log_state::LogState,
};

const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// The least number of bytes of the log from one snapshot to the next. Opening reads hardly more
/// than these.
pub(super) const SNAPSHOT_EVERY: u64 = 256 << 10;

/// The log in a file. A lock on the file ensures that there is one per file.
#[derive(Debug)]
pub(crate) struct EmbeddedLog {
    path: PathBuf,
    /// For reading, at any position.
    reader: File,
    index: RwLock<LogIndex>,
    writer: Mutex<Writer>,
    /// The last durable revision. Every entry is announced here when it becomes durable, also late.
    durable: watch::Sender<u64>,
    /// The length of the log from which on a new snapshot is due.
    snapshot_due: AtomicU64,
    /// One snapshot is written at a time.
    snapshotting: Mutex<()>,
    /// None for a copy: whether the log itself is in reach is known by its store.
    health: Option<Arc<StoreHealth>>,
    /// Bytes that were read to open it.
    #[cfg(test)]
    read_to_open: u64,
}

#[derive(Debug)]
struct Writer {
    file: File,
    /// Whether an entry has to survive a power cut.
    synced: bool,
    /// A failed write could not be undone yet: bytes after the last entry are unknown.
    dirty: bool,
    /// Makes the next append fail after this many bytes, as a full disk does.
    #[cfg(test)]
    full_after: Option<usize>,
    /// Makes the next append wait until something is sent here, as a disk that hangs does.
    #[cfg(test)]
    hang: Option<std::sync::mpsc::Receiver<()>>,
}

/// An open log, and its state.
type Opened = (EmbeddedLog, LogState);

impl EmbeddedLog {
    /// Opens or creates the log and keeps the file locked. A snapshot and the entries after it are
    /// read, and each of these is checked; without a snapshot, all of them.
    pub(super) async fn open(
        path: PathBuf,
        key_horizon: Duration,
        health: Arc<StoreHealth>,
    ) -> Result<(Arc<Self>, LogState), StoreError> {
        let (log, state) =
            blocking(move || Self::open_blocking(path, key_horizon, Some(health))).await?;
        Ok((Arc::new(log), state))
    }

    /// The same for the copy of a log that is safe elsewhere: entries lost in a power cut are
    /// copied again.
    #[cfg(feature = "nats")]
    pub(super) async fn open_copy(
        path: PathBuf,
        key_horizon: Duration,
    ) -> Result<(Arc<Self>, LogState), StoreError> {
        let (log, state) = blocking(move || Self::open_blocking(path, key_horizon, None)).await?;
        Ok((Arc::new(log), state))
    }

    fn open_blocking(
        path: PathBuf,
        key_horizon: Duration,
        health: Option<Arc<StoreHealth>>,
    ) -> Result<Opened, StoreError> {
        let at = |action| {
            let path = path.clone();
            move |source| StoreError::Io {
                path,
                action,
                source,
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(at("cannot be opened"))?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(at("cannot be locked")(source)),
        }
        sync_folder(parent_folder(&path)).map_err(at("its folder cannot be synced"))?;

        let snapshot = snapshot::read(&path, &file, key_horizon);
        let (mut index, mut state, snapshot_bytes) = match snapshot {
            Some((snapshot, bytes)) => (snapshot.index, snapshot.state, bytes),
            None => (LogIndex::default(), LogState::new(key_horizon), 0),
        };
        let from = LogPosition {
            revision: state.last,
            hash: state.last_hash.clone(),
            offset: index.end,
        };
        let covered = index.end;
        let found = scan(&path, &file, from, |entry, length| {
            index.push(length);
            state.record(entry);
        })?;
        if !found.tail.is_empty() {
            set_aside(&path, &file, &found)
                .map_err(at("an unfinished last entry cannot be moved aside"))?;
        }
        let log = Self {
            reader: file.try_clone().map_err(at("cannot be opened twice"))?,
            durable: watch::Sender::new(index.last),
            snapshot_due: AtomicU64::new(covered + snapshot_interval(snapshot_bytes)),
            #[cfg(test)]
            read_to_open: snapshot_bytes + index.end - covered,
            index: RwLock::new(index),
            writer: Mutex::new(Writer {
                file,
                synced: health.is_some(),
                dirty: false,
                #[cfg(test)]
                full_after: None,
                #[cfg(test)]
                hang: None,
            }),
            snapshotting: Mutex::new(()),
            health,
            path,
        };
        if let Some(bytes) = log.snapshot_if_due(&state) {
            log.write_snapshot(&bytes);
        }
        Ok((log, state))
    }

    /// As [`super::Store::append`]. It is never ambiguous: a write that fails is undone, and until
    /// that has worked nothing else is written.
    pub(super) async fn append(self: &Arc<Self>, sealed: &Sealed) -> Result<Appended, StoreError> {
        let line = encode_line(&sealed.entry.hash, &sealed.payload);
        self.append_line(sealed.entry.revision, line).await
    }

    /// Appends the line of the entry `revision`, which is known to follow.
    pub(super) async fn append_line(
        self: &Arc<Self>,
        revision: u64,
        line: Vec<u8>,
    ) -> Result<Appended, StoreError> {
        let log = Arc::clone(self);
        blocking(move || log.append_blocking(revision, &line)).await
    }

    fn append_blocking(&self, revision: u64, line: &[u8]) -> Result<Appended, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.dirty {
            self.undo(&mut writer)?;
        }
        if self.last() + 1 != revision {
            return Ok(Appended::Conflict);
        }
        if let Err(source) = writer.write(line) {
            writer.dirty = true;
            self.undo(&mut writer)?;
            return Err(StoreError::Io {
                path: self.path.clone(),
                action: "an entry cannot be written, and was taken back",
                source,
            });
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.push(line.len() as u64);
        drop(index);
        // The writer may have stopped waiting. The entry is durable all the same, so it is announced
        // to everyone who follows the log.
        self.durable.send_replace(revision);
        Ok(Appended::Committed)
    }

    /// Cuts off what a failed write left; the store is out of reach until that works.
    fn undo(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let end = self.index().end;
        let cut = writer.file.set_len(end);
        if let Err(source) = cut.and_then(|()| writer.file.sync_all()) {
            if let Some(health) = &self.health {
                health.mark_down(&source);
            }
            return Err(StoreError::Closed {
                path: self.path.clone(),
                source,
            });
        }
        writer.dirty = false;
        if let Some(health) = &self.health {
            health.mark_up();
        }
        Ok(())
    }

    /// The last revision; 0 when there is none.
    pub(super) fn last(&self) -> u64 {
        self.index().last
    }

    /// Receives the last revision at every change.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    /// As [`super::Store::read`].
    pub(super) async fn read(
        self: &Arc<Self>,
        from: u64,
        count: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        if from > self.last() {
            return Ok(Vec::new());
        }
        let log = Arc::clone(self);
        blocking(move || log.read_blocking(from.max(1), count)).await
    }

    fn read_blocking(&self, from: u64, count: usize) -> Result<Vec<Entry>, StoreError> {
        let (last, (mut revision, start)) = {
            let index = self.index();
            (index.last, index.before(from))
        };
        let mut reader = reader_at(&self.reader, start);
        let mut line = Vec::new();
        let mut entries = Vec::new();
        // Never past the last entry: a write may be under way there.
        while revision <= last && entries.len() < count {
            read_line(&self.path, &mut reader, &mut line)?;
            if revision >= from {
                entries.push(decode_line(&self.path, revision, &line)?);
            }
            revision += 1;
        }
        Ok(entries)
    }

    /// Writes a snapshot in the background when one is due; `state` is the state at the end of the
    /// log.
    pub(super) fn save_snapshot(self: &Arc<Self>, state: &LogState) {
        if let Some(bytes) = self.snapshot_if_due(state) {
            let log = Arc::clone(self);
            spawn_blocking(move || log.write_snapshot(&bytes));
        }
    }

    /// The bytes of a snapshot when one is due and `state` is at the end of the log.
    fn snapshot_if_due(&self, state: &LogState) -> Option<Vec<u8>> {
        let index = self.index();
        let due = self.snapshot_due.load(Ordering::Relaxed);
        if index.last != state.last || index.end < due {
            return None;
        }
        let bytes = snapshot::encode(&index, state).ok()?;
        let next = index.end + snapshot_interval(bytes.len() as u64);
        self.snapshot_due.store(next, Ordering::Relaxed);
        Some(bytes)
    }

    fn write_snapshot(&self, bytes: &[u8]) {
        let _turn = self
            .snapshotting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = snapshot::write(&self.path, bytes) {
            tracing::warn!(
                log = %self.path.display(),
                %error,
                "cannot write a snapshot of the weights log; the next opening reads the whole log"
            );
        }
    }

    /// Makes the next append wait until something is sent, as a disk that hangs does.
    #[cfg(test)]
    pub(crate) fn hang_next_append(&self) -> std::sync::mpsc::Sender<()> {
        let (release, hang) = std::sync::mpsc::channel();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.hang = Some(hang);
        release
    }

    fn index(&self) -> RwLockReadGuard<'_, LogIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of the log from a snapshot of this size to the next. Twice the size at least: so all
/// snapshots together take no more bytes than half the log.
fn snapshot_interval(snapshot_bytes: u64) -> u64 {
    SNAPSHOT_EVERY.max(2 * snapshot_bytes)
}

impl Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(hang) = self.hang.take() {
            // A dropped sender ends the wait, too.
            let _ = hang.recv();
        }
        #[cfg(test)]
        if let Some(room) = self.full_after {
            self.file.write_all(&line[..room.min(line.len())])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.file.write_all(line)?;
        if self.synced {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// Runs work that blocks on the disk on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Internal {
            what: error.to_string(),
        })?
}

/// Locks the file. It waits a moment for a process that is just ending, or for a child of this one
/// that does not run its program yet.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => sleep(LOCK_PAUSE),
            outcome => return outcome,
        }
    }
    Err(TryLockError::WouldBlock)
}

/// Copies an unfinished last entry into its own file, durably, and cuts it off.
fn set_aside(path: &Path, file: &File, found: &Scan) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".unfinished-{}", found.end.revision + 1));
    let aside = PathBuf::from(name);
    write_file(&aside, &found.tail)?;
    file.set_len(found.end.offset)?;
    file.sync_all()?;
    tracing::warn!(
        moved_to = %aside.display(),
        bytes = found.tail.len(),
        "the last entry of the weights store was not finished, and so never acknowledged; it was moved aside"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
