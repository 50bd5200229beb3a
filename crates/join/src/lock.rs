//! One writer at a time in a labelled log.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::error::{JoinError, output};

/// Locks the folder until the file is dropped.
pub(crate) fn lock(out: &Path) -> Result<File, JoinError> {
    let path = out.join("lock");
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
