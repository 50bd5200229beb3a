//! The journal's folder: its lock, its run, and the sequence that names its files.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use crate::{
    disk::{Disk, create_unfinished},
    error::JournalError,
    segment::{Kind, MAX_SEGMENT_BYTES},
};

/// How many numbers are reserved at once, so that a segment costs no write for its number. A
/// restart leaves the rest of them unused.
const RESERVED: u64 = 1024;
/// How the name of a segment ends.
const SEGMENT: &str = ".seg";
/// Longest content of a file of state.
const STATE_BYTES: usize = 64;

/// The folder of a journal, locked for this process until it is dropped.
pub struct JournalFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    run: Uuid,
    sequence: Mutex<Sequence>,
    _lock: Box<dyn Send + Sync>,
}

struct Sequence {
    next: u64,
    /// The first number that is not reserved.
    reserved: u64,
}

impl JournalFolder {
    /// Opens or creates the folder and locks it.
    ///
    /// # Errors
    /// [`JournalError::Locked`], [`JournalError::State`], [`JournalError::Io`].
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, JournalError> {
        let wal = path.join("wal");
        disk.create_folder(&wal)
            .map_err(io_error(&wal, "cannot be created"))?;
        let lock_file = path.join("lock");
        let lock = disk.lock(&lock_file).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => JournalError::Locked {
                path: path.to_owned(),
            },
            _ => io_error(&lock_file, "cannot be locked")(error),
        })?;
        let run = read_or_make_run(&*disk, path)?;
        let next = first_sequence(&*disk, path)?;
        let folder = Self {
            disk,
            path: path.to_owned(),
            run,
            sequence: Mutex::new(Sequence {
                next,
                reserved: next,
            }),
            _lock: lock,
        };
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id that was made with the folder.
    #[must_use]
    pub fn run(&self) -> Uuid {
        self.run
    }

    /// The disk that it is on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(crate) fn wal(&self) -> PathBuf {
        self.path.join("wal")
    }

    /// A number that no file of this folder has had.
    pub(crate) fn next_sequence(&self) -> io::Result<u64> {
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        if sequence.next == sequence.reserved {
            let reserved = sequence.next + RESERVED;
            let content = reserved.to_string();
            write_state(&*self.disk, &self.path.join("sequence"), &content)?;
            sequence.reserved = reserved;
        }
        sequence.next += 1;
        Ok(sequence.next - 1)
    }

    pub(crate) fn segment_path(&self, kind: Kind, sequence: u64) -> PathBuf {
        let run = self.run;
        self.wal()
            .join(format!("{}-{run}-{sequence:010}.seg", kind.name()))
    }

    /// The segments of a kind, by sequence.
    pub(crate) fn segments(&self, kind: Kind) -> Result<Vec<(u64, PathBuf)>, JournalError> {
        segments_in(&*self.disk, &self.wal(), kind)
    }
}

/// The segments of a kind in a folder, by sequence.
pub(crate) fn segments_in(
    disk: &dyn Disk,
    wal: &Path,
    kind: Kind,
) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let listed = disk.list(wal);
    let paths = listed.map_err(io_error(wal, "cannot be listed"))?;
    let prefix = format!("{}-", kind.name());
    let named = paths.into_iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(&prefix))
    });
    let mut segments: Vec<_> = named
        .filter_map(|path| Some((sequence_of(&path, SEGMENT)?, path)))
        .collect();
    segments.sort();
    Ok(segments)
}

/// Reads a whole segment.
pub(crate) fn read_segment(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, JournalError> {
    let failed = || io_error(path, "cannot be read");
    let length = disk.length(path).map_err(failed())?;
    if length > MAX_SEGMENT_BYTES {
        return Err(JournalError::SegmentTooLarge {
            path: path.to_owned(),
            length,
            most: MAX_SEGMENT_BYTES,
        });
    }
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    disk.read(path, 0, bytes).map_err(failed())
}

pub(crate) fn io_error(
    path: &Path,
    action: &'static str,
) -> impl FnOnce(io::Error) -> JournalError + use<> {
    let path = path.to_owned();
    move |error| JournalError::Io {
        path,
        action,
        error,
    }
}

/// The number in the name of a segment or of a part.
pub(crate) fn sequence_of(path: &Path, suffix: &str) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(suffix)?;
    name.rsplit('-').next()?.parse().ok()
}

fn read_or_make_run(disk: &dyn Disk, folder: &Path) -> Result<Uuid, JournalError> {
    let path = folder.join("run");
    if let Some(content) = read_state(disk, &path)? {
        return Uuid::parse_str(&content).map_err(|_| JournalError::State {
            path,
            content,
            expected: "a UUID",
        });
    }
    let run = Uuid::now_v7();
    write_state(disk, &path, &run.to_string()).map_err(io_error(&path, "cannot be written"))?;
    Ok(run)
}

/// The first number that may be used: behind all that were reserved, and behind every segment.
fn first_sequence(disk: &dyn Disk, folder: &Path) -> Result<u64, JournalError> {
    let path = folder.join("sequence");
    let reserved = match read_state(disk, &path)? {
        None => 1,
        Some(content) => content.parse().map_err(|_| JournalError::State {
            path,
            content,
            expected: "a whole number",
        })?,
    };
    let wal = folder.join("wal");
    let segments = disk
        .list(&wal)
        .map_err(io_error(&wal, "cannot be listed"))?;
    let used = segments
        .iter()
        .filter_map(|path| sequence_of(path, SEGMENT))
        .max();
    Ok(used.map_or(reserved, |used| reserved.max(used.saturating_add(1))))
}

fn read_state(disk: &dyn Disk, path: &Path) -> Result<Option<String>, JournalError> {
    match disk.read(path, 0, STATE_BYTES) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(path, "cannot be read")(error)),
    }
}

/// Replaces a file of state, durably.
fn write_state(disk: &dyn Disk, path: &Path, content: &str) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    let mut file = create_unfinished(disk, &unfinished)?;
    file.append(content.as_bytes())?;
    file.sync()?;
    disk.rename(&unfinished, path)?;
    disk.sync_folder(counterweight_files::parent_folder(path))
}
