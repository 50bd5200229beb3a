//! The file of a log in the hands of its one writer: locked, and checked before and after every
//! write to be the file that its path names, as long as what was written, and to end with the entry
//! that was written last. A file that somebody has moved, removed, replaced, cut off or written
//! over takes no entry: the entry would be gone after a restart.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use super::{
    index::LogIndex,
    line::{HASH_DIGITS, split_line},
};
use crate::error::StoreError;

const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// What a trial writes, in bytes: as much as a large entry.
const TRIAL_BYTES: usize = 64 << 10;

/// The last entry of a log, as it stands in the file.
#[derive(Debug, Clone)]
pub(super) struct LastEntry {
    /// Where the last entry starts.
    pub(super) last_start: u64,
    /// Where it ends.
    pub(super) end: u64,
    /// Its hash; unused while the log is empty.
    pub(super) hash: String,
}

impl LastEntry {
    pub(super) fn new(index: &LogIndex, hash: &str) -> Self {
        Self {
            last_start: index.last_start,
            end: index.end,
            hash: hash.to_owned(),
        }
    }
}

/// The file of a log, locked.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Device and inode.
    identity: (u64, u64),
    /// Whether this is the log itself: an entry has to survive a power cut, and to be found under
    /// the path. A copy can be made again.
    is_log: bool,
    end: LastEntry,
    /// A failed write could not be undone yet: behind the last entry there may be anything.
    dirty: bool,
    /// The last write failed.
    failed: bool,
    /// Makes writes fail after this many bytes, as a full disk does.
    #[cfg(test)]
    pub(super) full_after: Option<usize>,
    /// Makes the next write wait until this is received from, as a disk that hangs does.
    #[cfg(test)]
    pub(super) hang: Option<std::sync::mpsc::Receiver<()>>,
}

/// Opens or creates the file of a log, and locks it.
pub(super) fn open_locked(path: &Path) -> Result<File, StoreError> {
    let failed = |action| {
        move |error| StoreError::Io {
            path: path.to_owned(),
            action,
            error,
        }
    };
    loop {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed("cannot be opened"))?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed("cannot be locked")(error)),
        }
        // Another file may have taken its place before it was locked.
        let opened = file.metadata().map_err(failed("cannot be read"))?;
        match fs::metadata(path) {
            Ok(named) if identity(&named) == identity(&opened) => return Ok(file),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("cannot be read")(error));
            }
            _ => {}
        }
    }
}

impl LogFile {
    /// Takes over a locked file, of which `end` was read.
    pub(super) fn new(path: PathBuf, file: File, is_log: bool, end: LastEntry) -> io::Result<Self> {
        Ok(Self {
            identity: identity(&file.metadata()?),
            path,
            file,
            is_log,
            end,
            dirty: false,
            failed: false,
            #[cfg(test)]
            full_after: None,
            #[cfg(test)]
            hang: None,
        })
    }

    /// Appends a line. After an error the file is as it was, or nothing else is written to it until
    /// that is so.
    ///
    /// # Errors
    /// [`StoreError::Displaced`], [`StoreError::Closed`], [`StoreError::Io`]; nothing was written.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), StoreError> {
        self.make_ready()?;
        self.write_or_undo(line)?;
        // The file may have been displaced while it was written to.
        let length = line.len() as u64;
        if let Err(displaced) = self.check(self.end.end + length) {
            self.undo()?;
            return Err(displaced);
        }
        if let Some((hash, _)) = split_line(line) {
            self.end.hash = String::from_utf8_lossy(hash).into_owned();
        }
        self.end.last_start = self.end.end;
        self.end.end += length;
        self.failed = false;
        Ok(())
    }

    /// Says why an entry would not be taken now. Only after a failed write something is written, and
    /// taken back.
    pub(super) fn try_out(&mut self) -> Result<(), StoreError> {
        self.make_ready()?;
        if self.failed {
            self.write_or_undo(&[b' '; TRIAL_BYTES])?;
            self.undo()?;
            self.failed = false;
        }
        Ok(())
    }

    /// The next trial writes.
    pub(super) fn distrust(&mut self) {
        self.failed = true;
    }

    /// Undoes what a failed write left, and checks that the file is the one that was written.
    fn make_ready(&mut self) -> Result<(), StoreError> {
        if self.dirty {
            self.undo()?;
        }
        self.check(self.end.end)
    }

    fn write_or_undo(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let Err(error) = self.write(bytes) else {
            return Ok(());
        };
        self.failed = true;
        self.undo()?;
        Err(StoreError::Io {
            path: self.path.clone(),
            action: "an entry cannot be written, and was taken back",
            error,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(hang) = self.hang.take() {
            // One who is gone ends the wait, too.
            let _ = hang.recv();
        }
        #[cfg(test)]
        if let Some(room) = self.full_after {
            self.file.write_all(&bytes[..room.min(bytes.len())])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.file.write_all(bytes)?;
        if self.is_log {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Cuts off what stands behind the last entry.
    fn undo(&mut self) -> Result<(), StoreError> {
        self.dirty = true;
        let cut = self.file.metadata().and_then(|now| {
            // A file that is shorter, or that ends otherwise, is somebody else's work; the check
            // says so.
            if now.len() > self.end.end && self.ends_with_last_entry()? {
                self.file.set_len(self.end.end)?;
                self.file.sync_all()?;
            }
            Ok(())
        });
        cut.map_err(|error| StoreError::Closed {
            path: self.path.clone(),
            error,
        })?;
        self.dirty = false;
        Ok(())
    }

    /// Checks that the file has so many bytes, ends with the last entry, and has its name.
    fn check(&self, length: u64) -> Result<(), StoreError> {
        match self.displacement(length) {
            Ok(None) => Ok(()),
            Ok(Some(problem)) => Err(StoreError::Displaced {
                path: self.path.clone(),
                problem,
            }),
            Err(error) => Err(StoreError::Io {
                path: self.path.clone(),
                action: "cannot be checked before a write",
                error,
            }),
        }
    }

    fn displacement(&self, length: u64) -> io::Result<Option<String>> {
        if self.is_log {
            match fs::metadata(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Some("it was moved or removed".to_owned()));
                }
                Err(error) => return Err(error),
                Ok(named) if identity(&named) != self.identity => {
                    return Ok(Some("another file was put in its place".to_owned()));
                }
                Ok(_) => {}
            }
        }
        let found = self.file.metadata()?.len();
        Ok(if found < length {
            Some(format!(
                "it was cut off: it has {found} bytes, and {length} were written"
            ))
        } else if found > length {
            Some(format!(
                "something else wrote to it: it has {found} bytes, and {length} were written"
            ))
        } else if !self.ends_with_last_entry()? {
            Some("it was written over: its last entry is another one".to_owned())
        } else {
            None
        })
    }

    fn ends_with_last_entry(&self) -> io::Result<bool> {
        if self.end.end == 0 {
            return Ok(true);
        }
        let mut hash = [0; HASH_DIGITS];
        self.file.read_exact_at(&mut hash, self.end.last_start)?;
        Ok(hash == *self.end.hash.as_bytes())
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
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
