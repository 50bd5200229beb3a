//! Writes files and folders atomically: a reader never sees an incomplete one, even after a crash.
//!
//! Everything is written under a temporary name in the parent folder of its target, synced and
//! renamed. Then the parent folder is synced. Without the first sync, a crash may leave an empty
//! file; without the second, the rename may be lost.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// Prefix of the names of unfinished files and folders. Readers of a folder skip them. A crash may
/// leave one behind.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// A file that gets its name when it is complete. If it is dropped before
/// [`commit`](Self::commit), no file is left behind.
#[derive(Debug)]
pub struct AtomicFile {
    unfinished: NamedTempFile,
    target: PathBuf,
}

impl AtomicFile {
    /// Begins a file that will be called `path`. An existing file stays unchanged until
    /// [`commit`](Self::commit). Its permissions are kept, and a symbolic link is followed.
    ///
    /// # Errors
    /// When the folder does not exist or is not writable, or when `path` exists but is not a
    /// regular file: the rename would replace a device or folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let (target, permissions) = match fs::metadata(path) {
            Ok(existing) if existing.is_file() => {
                (fs::canonicalize(path)?, Some(existing.permissions()))
            }
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "this is not a regular file; choose another path",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), None),
            Err(error) => return Err(error),
        };
        let mut builder = Builder::new();
        builder.prefix(TEMPORARY_PREFIX);
        let new = new_file_permissions();
        if let Some(new) = new {
            builder.permissions(new);
        }
        let unfinished = builder.tempfile_in(parent_folder(&target))?;
        if let Some(permissions) = permissions {
            unfinished.as_file().set_permissions(permissions)?;
        }
        Ok(Self { unfinished, target })
    }

    /// The file to write to, for writers that need a [`File`].
    #[must_use]
    pub fn file(&self) -> &File {
        self.unfinished.as_file()
    }

    /// Syncs the file, gives it its name and syncs the folder. Flush any buffers around
    /// [`file`](Self::file) first.
    ///
    /// # Errors
    /// Any error of the system. An existing file at the path is then unchanged, unless only the
    /// last sync failed.
    pub fn commit(self) -> io::Result<()> {
        self.unfinished.as_file().sync_all()?;
        self.unfinished
            .persist(&self.target)
            .map_err(|error| error.error)?;
        sync_folder(parent_folder(&self.target))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unfinished.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unfinished.flush()
    }
}

/// Writes a file with these bytes at `path` and replaces an existing file.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Writes a folder with these files (name and bytes) at `path` and replaces an existing folder.
/// This takes two renames, between which no folder exists at `path`.
///
/// # Errors
/// Any error of the system.
pub fn write_folder<'a>(
    path: &Path,
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> io::Result<()> {
    let parent = parent_folder(path);
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    // The default permissions of temporary folders would make the files unreadable to other users.
    if let Some(new) = new_folder_permissions() {
        builder.permissions(new);
    }
    let unfinished = builder.tempdir_in(parent)?;
    for (name, bytes) in files {
        let mut file = File::create_new(unfinished.path().join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    sync_folder(unfinished.path())?;
    // The old folder is moved into this temporary folder and removed with it.
    let old = Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent)?;
    match fs::rename(path, old.path().join("old")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(unfinished.path(), path)?;
    // The folder has its final name now, so the temporary name must not be removed.
    let _ = unfinished.keep();
    sync_folder(parent)
}

/// Makes the names in a folder durable. Only Unix can open a folder; elsewhere this does nothing,
/// because renaming is durable enough.
///
/// # Errors
/// Any error of the system.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all())
    } else {
        Ok(())
    }
}

/// The folder that contains a file; `.` for a name without a folder.
#[must_use]
pub fn parent_folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

// Temporary files are private by default. A finished file has the permissions of any new file,
// restricted by the umask.
#[cfg(unix)]
fn new_file_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(Permissions::from_mode(0o666))
}

#[cfg(unix)]
fn new_folder_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(Permissions::from_mode(0o777))
}

#[cfg(not(unix))]
fn new_file_permissions() -> Option<Permissions> {
    None
}

#[cfg(not(unix))]
fn new_folder_permissions() -> Option<Permissions> {
    None
}
