//! One writer at a time in a labelled log, and one compaction of a log.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::error::{JoinError, output};

/// Locks the folder of a labelled log until the file is dropped.
pub(crate) fn lock(out: &Path) -> Result<File, JoinError> {
    lock_by(out, "lock")
}

/// Locks a folder by a file of this name until the file is dropped.
pub(crate) fn lock_by(out: &Path, name: &str) -> Result<File, JoinError> {
    let path = out.join(name);
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(output(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JoinError::Locked {
            out: out.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(output(&path)(error)),
    }
}
