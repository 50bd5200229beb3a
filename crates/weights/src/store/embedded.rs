//! The embedded log: one file, one line per entry, locked, and synced before an entry is acknowledged.
//!
//! A line without its newline at the end of the file is an unfinished write that was never acknowledged: it is moved
//! aside on opening. Anything else that is not as written is an error that names the entry, and nothing is changed.
//! Whatever blocks on the disk runs on threads that may block.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread::sleep,
    time::Duration,
};

use tokio::task::spawn_blocking;

use super::{
    Appended, Reach,
    scan::{Scan, line, open_line, scan},
};
use crate::{
    entry::{Entry, Sealed},
    error::StoreError,
};

const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The log in a file. A lock on the file ensures that there is one per file.
#[derive(Debug)]
pub(crate) struct Embedded {
    path: PathBuf,
    /// For reading, at any position.
    reader: File,
    /// Where each entry starts, and where the last one ends: one more than there are entries.
    bounds: RwLock<Vec<u64>>,
    writer: Mutex<Writer>,
    /// None for a copy: that the log is lost is told by who keeps it.
    reach: Option<Arc<Reach>>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    /// Whether an entry has to survive a power cut.
    synced: bool,
    /// A failed write could not be undone yet: behind the last entry there may be anything.
    dirty: bool,
    /// Makes the next append fail after this many bytes, as a full disk does.
    #[cfg(test)]
    full_after: Option<usize>,
}

impl Embedded {
    /// Opens or creates the log, checks every entry, and keeps the file locked.
    pub(super) async fn open(path: PathBuf, reach: Arc<Reach>) -> Result<Arc<Self>, StoreError> {
        blocking(move || Self::open_blocking(path, Some(reach)))
            .await
            .map(Arc::new)
    }

    /// The same for the copy of a log that is safe elsewhere: what a power cut takes of it is copied again.
    pub(super) async fn open_copy(path: PathBuf) -> Result<Arc<Self>, StoreError> {
        blocking(move || Self::open_blocking(path, None))
            .await
            .map(Arc::new)
    }

    fn open_blocking(path: PathBuf, reach: Option<Arc<Reach>>) -> Result<Self, StoreError> {
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
        sync_folder(&path).map_err(at("its folder cannot be synced"))?;
        let found = scan(&path, &file, |_| {})?;
        if !found.tail.is_empty() {
            set_aside(&path, &file, &found)
                .map_err(at("an unfinished last entry cannot be moved aside"))?;
        }
        Ok(Self {
            reader: file.try_clone().map_err(at("cannot be opened twice"))?,
            bounds: RwLock::new(found.bounds),
            writer: Mutex::new(Writer {
                file,
                synced: reach.is_some(),
                dirty: false,
                #[cfg(test)]
                full_after: None,
            }),
            reach,
            path,
        })
    }

    /// As [`super::Store::append`]. It is never ambiguous: a write that fails is undone, and until that has worked
    /// nothing else is written.
    pub(super) async fn append(self: &Arc<Self>, sealed: &Sealed) -> Result<Appended, StoreError> {
        let line = line(&sealed.entry.hash, &sealed.payload);
        self.append_line(sealed.entry.revision, line).await
    }

    /// Appends the line of the entry `revision`, which is known to follow.
    pub(super) async fn append_line(
        self: &Arc<Self>,
        revision: u64,
        line: Vec<u8>,
    ) -> Result<Appended, StoreError> {
        let store = Arc::clone(self);
        blocking(move || store.append_blocking(revision, &line)).await
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
        let mut bounds = self.bounds.write().unwrap_or_else(PoisonError::into_inner);
        let end = bounds.last().copied().unwrap_or(0) + line.len() as u64;
        bounds.push(end);
        Ok(Appended::Committed)
    }

    /// Cuts off what a failed write left; the store is lost until that works.
    fn undo(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let end = {
            let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
            bounds.last().copied().unwrap_or(0)
        };
        if let Err(source) = writer
            .file
            .set_len(end)
            .and_then(|()| writer.file.sync_all())
        {
            if let Some(reach) = &self.reach {
                reach.lost(&source);
            }
            return Err(StoreError::Closed {
                path: self.path.clone(),
                source,
            });
        }
        writer.dirty = false;
        if let Some(reach) = &self.reach {
            reach.found();
        }
        Ok(())
    }

    /// The last revision; 0 when there is none.
    pub(super) fn last(&self) -> u64 {
        self.bounds
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len() as u64
            - 1
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
        let store = Arc::clone(self);
        blocking(move || store.read_blocking(from.max(1), count)).await
    }

    fn read_blocking(&self, from: u64, count: usize) -> Result<Vec<Entry>, StoreError> {
        let bounds: Vec<u64> = {
            let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
            let start = usize::try_from(from - 1).unwrap_or(usize::MAX);
            let count = count.saturating_add(1);
            bounds.iter().copied().skip(start).take(count).collect()
        };
        let mut line = Vec::new();
        bounds
            .windows(2)
            .zip(from..)
            .map(|(bounds, revision)| {
                line.resize(
                    usize::try_from(bounds[1] - bounds[0]).unwrap_or(usize::MAX),
                    0,
                );
                self.reader
                    .read_exact_at(&mut line, bounds[0])
                    .map_err(|source| StoreError::Io {
                        path: self.path.clone(),
                        action: "an entry cannot be read",
                        source,
                    })?;
                open_line(&self.path, revision, &line)
            })
            .collect()
    }
}

impl Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
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

/// Runs what blocks on the disk where it holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Internal {
            what: error.to_string(),
        })?
}

/// Locks the file, and waits a moment for one who just ends, or for a child of this process that does not run its program yet.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => sleep(LOCK_PAUSE),
            outcome => return outcome,
        }
    }
    Err(TryLockError::WouldBlock)
}

/// Copies an unfinished last entry into a file of its own, durably, and cuts it off.
fn set_aside(path: &Path, file: &File, scan: &Scan) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".unfinished-{}", scan.bounds.len()));
    let aside = PathBuf::from(name);
    fs::write(&aside, &scan.tail)?;
    File::open(&aside)?.sync_all()?;
    sync_folder(&aside)?;
    file.set_len(scan.bounds.last().copied().unwrap_or(0))?;
    file.sync_all()?;
    tracing::warn!(
        moved_to = %aside.display(),
        bytes = scan.tail.len(),
        "the last entry of the weights store was never finished, and so never acknowledged; it was moved aside"
    );
    Ok(())
}

/// Makes the name of a new file durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use prometheus::IntGauge;
    use prost_types::Timestamp;
    use tempfile::TempDir;

    use super::*;
    use crate::entry::{
        NO_HASH, digest,
        tests::{cause, change},
    };

    fn open(path: &Path) -> Result<Embedded, StoreError> {
        let gauge = IntGauge::new("lost", "lost").unwrap();
        Embedded::open_blocking(path.to_owned(), Some(Arc::new(Reach::new(gauge))))
    }

    fn append(store: &Embedded, weight: f64) -> Result<u64, StoreError> {
        let last = store.last();
        let previous = match last {
            0 => NO_HASH.to_owned(),
            last => store.read_blocking(last, 1)?[0].hash.clone(),
        };
        let time = Timestamp::default();
        let sealed = Sealed::new(last + 1, &previous, change(weight), cause(), time).unwrap();
        let line = line(&sealed.entry.hash, &sealed.payload);
        assert_eq!(store.append_blocking(last + 1, &line)?, Appended::Committed);
        Ok(last + 1)
    }

    fn log_of(count: u64) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.log");
        let store = open(&path).unwrap();
        for revision in 1..=count {
            assert_eq!(append(&store, revision as f64).unwrap(), revision);
        }
        (folder, path)
    }

    fn revisions(path: &Path) -> Vec<u64> {
        let store = open(path).unwrap();
        let entries = store.read_blocking(1, usize::MAX).unwrap();
        entries.iter().map(|entry| entry.revision).collect()
    }

    #[test]
    fn an_entry_for_another_end_of_the_log_is_a_conflict_and_writes_nothing() {
        let (_folder, path) = log_of(2);
        let before = fs::read(&path).unwrap();
        let store = open(&path).unwrap();
        for revision in [1, 2, 4, 9] {
            assert_eq!(
                store.append_blocking(revision, b"anything").unwrap(),
                Appended::Conflict
            );
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn entries_survive_and_are_read_from_any_revision() {
        let (_folder, path) = log_of(5);
        assert_eq!(revisions(&path), [1, 2, 3, 4, 5]);
        let log = open(&path).unwrap();
        let read = |from, count| {
            log.read_blocking(from, count)
                .unwrap()
                .iter()
                .map(|e| e.revision)
                .collect::<Vec<_>>()
        };
        assert_eq!(read(3, 2), [3, 4]);
        assert_eq!(read(5, 9), [5]);
        assert!(read(6, 9).is_empty());
        let all = log.read_blocking(1, 9).unwrap();
        assert_eq!(all[0].previous, NO_HASH);
        assert!(all.windows(2).all(|pair| pair[1].previous == pair[0].hash));
    }

    #[test]
    fn two_writers_on_one_file_is_an_error_that_says_so() {
        let (_folder, path) = log_of(1);
        let _first = open(&path).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_moved_aside_and_the_log_goes_on() {
        let (_folder, path) = log_of(3);
        let whole = fs::read(&path).unwrap();
        let starts: Vec<usize> = open(&path)
            .unwrap()
            .bounds
            .read()
            .unwrap()
            .iter()
            .map(|&b| b as usize)
            .collect();
        for cut in starts[2] + 1..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(revisions(&path), [1, 2], "cut at {cut}");
            let aside = path.with_extension("log.unfinished-3");
            assert_eq!(fs::read(&aside).unwrap(), &whole[starts[2]..cut]);
            let store = open(&path).unwrap();
            assert_eq!(append(&store, 9.0).unwrap(), 3);
            drop(store);
            assert_eq!(revisions(&path), [1, 2, 3]);
        }
    }

    #[test]
    fn an_entry_written_but_not_acknowledged_is_there_after_a_kill() {
        let (_folder, path) = log_of(1);
        let (_other, longer) = log_of(2);
        fs::copy(&longer, &path).unwrap();
        assert_eq!(revisions(&path), [1, 2]);
    }

    #[test]
    fn a_flipped_byte_anywhere_is_an_error_that_names_its_line() {
        let (_folder, path) = log_of(3);
        let whole = fs::read(&path).unwrap();
        let line_of =
            |at: usize| 1 + whole[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
        for at in (0..whole.len() - 1)
            .step_by(7)
            .filter(|&at| whole[at] != b'\n')
        {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            match open(&path).unwrap_err() {
                StoreError::Corrupt { revision, .. } => {
                    assert_eq!(revision, line_of(at), "flipped at {at}");
                }
                other => panic!("flipped at {at}: {other}"),
            }
            assert_eq!(
                fs::read(&path).unwrap(),
                bytes,
                "a corrupt log is left as it is"
            );
        }
    }

    #[test]
    fn entries_that_are_missing_or_exchanged_are_found() {
        let (_folder, path) = log_of(3);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
        let error = open(&path).unwrap_err();
        assert!(
            error.to_string().contains("entry 2: it holds revision 3"),
            "{error}"
        );
        let (_other, foreign) = log_of(2);
        let store = open(&foreign).unwrap();
        append(&store, 77.0).unwrap();
        drop(store);
        let foreign = fs::read_to_string(&foreign).unwrap();
        let replaced = text.replace(
            lines[1],
            &foreign.lines().nth(1).unwrap().replace("2.0", "2.5"),
        );
        fs::write(&path, replaced).unwrap();
        assert!(matches!(
            open(&path),
            Err(StoreError::Corrupt { revision: 2, .. })
        ));
    }

    #[test]
    fn a_store_of_a_newer_version_is_refused() {
        let (_folder, path) = log_of(1);
        let payload = r#"{"format":99}"#;
        let line = format!("{} {payload}\n", digest(payload.as_bytes()));
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(&line);
        fs::write(&path, text).unwrap();
        let error = open(&path).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::TooNew {
                    revision: 2,
                    found: 99,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_full_disk_leaves_what_was_acknowledged_and_the_next_write_works() {
        let (_folder, path) = log_of(2);
        let before = fs::read(&path).unwrap();
        let store = open(&path).unwrap();
        for room in [0, 1, 70, 200] {
            store.writer.lock().unwrap().full_after = Some(room);
            assert!(matches!(append(&store, 3.0), Err(StoreError::Io { .. })));
            assert_eq!(fs::read(&path).unwrap(), before);
            assert_eq!(store.last(), 2);
        }
        store.writer.lock().unwrap().full_after = None;
        assert_eq!(append(&store, 3.0).unwrap(), 3);
        drop(store);
        assert_eq!(revisions(&path), [1, 2, 3]);
    }
}
