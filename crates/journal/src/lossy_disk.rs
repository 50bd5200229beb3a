//! A disk in memory that crashes, fills up and refuses. A crash keeps what was synced, file and
//! name, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use counterweight_files::parent_folder;

use crate::disk::{Disk, DiskFile};

/// A disk in memory; clones are the same disk.
#[derive(Clone, Default)]
pub struct LossyDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: HashMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    folders: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    next_file: u64,
    /// How many there were. Handles from before a crash write nothing any more.
    crashes: u64,
    operations: u64,
    dies_after: Option<u64>,
    room: Option<u64>,
    read_only: bool,
    syncs_fail: bool,
}

#[derive(Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
}

struct LossyFile {
    disk: LossyDisk,
    file: u64,
    crashes: u64,
}

struct Lock {
    disk: LossyDisk,
    path: PathBuf,
    crashes: u64,
}

impl LossyDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything after the last sync is gone, but for the first `torn` bytes that were appended to
    /// each file since. The disk works again; handles and locks of before do not.
    pub fn crash(&self, torn: usize) {
        let mut state = self.state();
        state.names = state.durable_names.clone();
        for content in state.files.values_mut() {
            if content.live.starts_with(&content.durable) {
                let kept = content.live.len().min(content.durable.len() + torn);
                content.live.truncate(kept);
            } else {
                content.live.clone_from(&content.durable);
            }
            content.durable.clone_from(&content.live);
        }
        state.locks.clear();
        state.crashes += 1;
        state.dies_after = None;
    }

    /// After so many more changes, syncs included, every one fails, as if the machine had died.
    pub fn die_after(&self, operations: u64) {
        let mut state = self.state();
        state.dies_after = Some(state.operations + operations);
    }

    /// How many changes there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many bytes were appended to files and are not synced.
    #[must_use]
    pub fn unsynced_bytes(&self) -> usize {
        let state = self.state();
        let unsynced = |content: &Content| content.live.len().saturating_sub(content.durable.len());
        state.files.values().map(unsynced).sum()
    }

    /// So many bytes can still be written; `None` means no bound.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// Every change is refused.
    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    /// Every sync fails.
    pub fn set_syncs_fail(&self, fail: bool) {
        self.state().syncs_fail = fail;
    }

    /// Flips bits of a byte, durably.
    pub fn flip(&self, path: &Path, offset: usize, bits: u8) {
        let mut state = self.state();
        let file = state.names.get(path).copied().unwrap_or(u64::MAX);
        if let Some(content) = state.files.get_mut(&file) {
            for bytes in [&mut content.live, &mut content.durable] {
                if let Some(byte) = bytes.get_mut(offset) {
                    *byte ^= bits;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for a change, if changes are possible.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.dies_after.is_some_and(|at| state.operations >= at) {
            return Err(io::Error::other("the machine is dead"));
        }
        state.operations += 1;
        if state.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(state)
    }

    fn handle(&self, file: u64, crashes: u64) -> Box<dyn DiskFile> {
        Box::new(LossyFile {
            disk: self.clone(),
            file,
            crashes,
        })
    }
}

impl State {
    fn file(&self, path: &Path) -> io::Result<u64> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl LossyFile {
    fn change<T>(&self, change: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.change()?;
        if state.crashes != self.crashes {
            return Err(io::Error::other("the file was open before a crash"));
        }
        change(&mut state, self.file)
    }
}

impl DiskFile for LossyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.change(|state, file| {
            let room = state.room.unwrap_or(u64::MAX);
            let written = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            if let Some(room) = &mut state.room {
                *room -= written as u64;
            }
            let content = state.files.entry(file).or_default();
            content.live.extend(&bytes[..written]);
            if written < bytes.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.change(|state, file| {
            if state.syncs_fail {
                return Err(io::Error::other("the sync failed"));
            }
            let content = state.files.entry(file).or_default();
            content.durable.clone_from(&content.live);
            Ok(())
        })
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.change(|state, file| {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let content = state.files.entry(file).or_default();
            let freed = content.live.len().saturating_sub(length) as u64;
            content.live.truncate(length);
            if let Some(room) = &mut state.room {
                *room += freed;
            }
            Ok(())
        })
    }
}

impl Disk for LossyDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if self.state().folders.contains(path) {
            return Ok(());
        }
        self.change()?
            .folders
            .extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.change()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !state.folders.contains(parent_folder(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.next_file += 1;
        let file = state.next_file;
        state.files.insert(file, Content::default());
        state.names.insert(path.to_owned(), file);
        let crashes = state.crashes;
        drop(state);
        Ok(self.handle(file, crashes))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state();
        let (file, crashes) = (state.file(path)?, state.crashes);
        drop(state);
        Ok(self.handle(file, crashes))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        if state.syncs_fail {
            return Err(io::Error::other("the sync failed"));
        }
        let is_in = |name: &Path| parent_folder(name) == path;
        state.durable_names.retain(|name, _| !is_in(name));
        let live = state.names.iter().filter(|(name, _)| is_in(name));
        let live: Vec<_> = live.map(|(name, file)| (name.clone(), *file)).collect();
        state.durable_names.extend(live);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let file = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // To remove a missing file changes nothing: a read-only disk also says that it is missing.
        self.state().file(path)?;
        self.change()?.names.remove(path);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state();
        if !state.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let all = state.names.keys().chain(&state.folders);
        let inside = all.filter(|path| path.parent() == Some(folder));
        Ok(inside
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect())
    }

    fn read(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let state = self.state();
        let content = state.files.get(&state.file(path)?);
        let bytes = content.map_or(&[][..], |content| &content.live);
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        let content = state.files.get(&state.file(path)?);
        Ok(content.map_or(0, |content| content.live.len() as u64))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state();
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock {
            disk: self.clone(),
            path: path.to_owned(),
            crashes: state.crashes,
        }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.crashes == self.crashes {
            state.locks.remove(&self.path);
        }
    }
}
