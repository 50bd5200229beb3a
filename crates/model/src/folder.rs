//! Writes files and folders so that a reader, or a crash, never meets half of one: under a temporary name beside the target,
//! synced, then renamed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ModelError;

/// Start of the names that readers pass over.
const TEMPORARY: &str = ".tmp-";

/// Says where an input or output error occurred.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> ModelError {
    move |source| ModelError::Io {
        path: path.into(),
        source,
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(at(path))
}

/// Puts a folder with these files at `target`; one that is there already is replaced.
pub(crate) fn write(target: &Path, files: &BTreeMap<&str, Vec<u8>>) -> Result<(), ModelError> {
    let temporary = Temporary::beside(target);
    fs::create_dir(&temporary.0).map_err(at(&temporary.0))?;
    for (name, bytes) in files {
        write_synced(&temporary.0.join(name), bytes)?;
    }
    sync_folder(&temporary.0)?;
    let old = Temporary::beside(target);
    match fs::rename(target, &old.0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(target)(error)),
        _ => {}
    }
    fs::rename(&temporary.0, target).map_err(at(target))?;
    sync_folder(parent(target))
}

/// Puts a file with these bytes at `target`; one that is there already is replaced.
pub(crate) fn write_file(target: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let temporary = Temporary::beside(target);
    write_synced(&temporary.0, bytes)?;
    fs::rename(&temporary.0, target).map_err(at(target))?;
    sync_folder(parent(target))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(at(path))
}

/// Makes the names in a folder durable. Elsewhere than on Unix a folder cannot be opened, and renaming is durable enough.
fn sync_folder(path: &Path) -> Result<(), ModelError> {
    if cfg!(unix) {
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .map_err(at(path))
    } else {
        Ok(())
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A name that nobody else uses; what bears it is removed when it goes out of use.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(target: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent(target).join(format!("{TEMPORARY}{}-{number}", std::process::id()));
            // A process that crashed may have had the same id.
            if path.symlink_metadata().is_err() {
                return Self(path);
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Either may fail: most often because the name was given up by a rename.
        drop(fs::remove_dir_all(&self.0));
        drop(fs::remove_file(&self.0));
    }
}
