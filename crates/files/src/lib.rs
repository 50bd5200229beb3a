//! Files and folders that appear whole or not at all: neither a reader nor a crash ever meets half
//! of one.
//!
//! Everything is written under a temporary name in the folder of its target, synced, renamed, and
//! the folder is synced. A rename without the first sync may survive a crash as an empty file;
//! without the second it may be lost.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// Start of the names of unfinished files and folders. Readers of a folder skip them; a crash may
/// leave one behind.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// A file that takes its name when it is complete. Dropped before [`commit`](Self::commit), it
/// leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    unfinished: NamedTempFile,
    target: PathBuf,
}

impl AtomicFile {
    /// Begins a file that will be called `path`. What stands there stays until
    /// [`commit`](Self::commit); its permissions are kept, and a symbolic link is followed.
    ///
    /// # Errors
    /// When the folder does not exist or cannot be written to, or when something other than a
    /// regular file stands at `path`: renaming onto a device or a folder would replace it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let (target, permissions) = match fs::metadata(path) {
            Ok(existing) if existing.is_file() => {
                (fs::canonicalize(path)?, Some(existing.permissions()))
            }
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is not a regular file; choose another path",
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

    /// The file to write to, for writers that take a file.
    #[must_use]
    pub fn file(&self) -> &File {
        self.unfinished.as_file()
    }

    /// Syncs the file, gives it its name and syncs the folder. Buffers around [`file`](Self::file)
    /// must be flushed first.
    ///
    /// # Errors
    /// What the system says. What stood at the path is as it was then, unless the very last sync
    /// failed.
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

/// Puts a file with these bytes at `path`; one that is there already is replaced.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Puts a folder with these files (name and bytes) at `path`; one that is there already is
/// replaced. Between the two renames that this takes there is no folder at `path`.
///
/// # Errors
/// What the system says.
pub fn write_folder<'a>(
    path: &Path,
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> io::Result<()> {
    let parent = parent_folder(path);
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    // A private folder would hide the files from everybody else.
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
    // The old folder moves into this one and is removed with it.
    let old = Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent)?;
    match fs::rename(path, old.path().join("old")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(unfinished.path(), path)?;
    // It bears its final name now, so there is nothing to remove under the temporary one.
    let _ = unfinished.keep();
    sync_folder(parent)
}

/// Makes the names in a folder durable. Elsewhere than on Unix a folder cannot be opened, and
/// renaming is durable enough.
///
/// # Errors
/// What the system says.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all())
    } else {
        Ok(())
    }
}

/// The folder that a file is in, `.` for a bare name.
#[must_use]
pub fn parent_folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

// Temporary files are private by default; a finished one has the permissions of any new file, less
// the umask.
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
