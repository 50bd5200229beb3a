//! Deletes old parts, by age and by bytes.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    clock::{HOUR_MS, hour_folder},
    disk::Disk,
    error::JournalError,
    folder::{JournalFolder, io_error},
    segment::Kind,
};

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Parts whose hour ended longer ago are deleted.
    pub longest_age: Duration,
    /// The oldest parts are deleted until the rest has at most so many bytes.
    pub most_bytes: u64,
}

/// What was deleted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Parts.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Deletes the oldest complete parts of a kind. Unfinished ones are neither counted nor touched.
///
/// # Errors
/// [`JournalError::Io`]; what was deleted before it stays deleted.
pub fn retain(
    folder: &JournalFolder,
    kind: Kind,
    retention: Retention,
    now_ms: i64,
) -> Result<Removed, JournalError> {
    let disk = &**folder.disk();
    let root = folder.path().join(kind.name());
    let mut removed = Removed::default();
    for part in parts_to_remove(disk, &root, retention, now_ms)? {
        disk.remove(&part.path)
            .map_err(io_error(&part.path, "cannot be removed"))?;
        removed.parts += 1;
        removed.bytes += part.bytes;
    }
    Ok(removed)
}

/// The complete parts that are too old, or with which there are too many bytes.
pub(crate) fn parts_to_remove(
    disk: &dyn Disk,
    root: &Path,
    retention: Retention,
    now_ms: i64,
) -> Result<Vec<Part>, JournalError> {
    let mut parts = list_parts(disk, root)?;
    let age_ms = i64::try_from(retention.longest_age.as_millis()).unwrap_or(i64::MAX);
    // An hour is too old if it ended before this time: names of hours compare as the hours do.
    let oldest_hour = now_ms.saturating_sub(age_ms).div_euclid(HOUR_MS);
    let oldest_folder = root.join(hour_folder(oldest_hour));
    let mut kept_bytes: u64 = parts.iter().map(|part| part.bytes).sum();
    let kept = parts.iter().position(|part| {
        let kept = part.folder >= oldest_folder && kept_bytes <= retention.most_bytes;
        kept_bytes -= part.bytes;
        kept
    });
    parts.truncate(kept.unwrap_or(parts.len()));
    Ok(parts)
}

pub(crate) struct Part {
    /// The folder of its hour.
    pub(crate) folder: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// The complete parts, oldest hour first.
pub(crate) fn list_parts(disk: &dyn Disk, root: &Path) -> Result<Vec<Part>, JournalError> {
    let mut parts = Vec::new();
    for day in list(disk, root, "dt=")? {
        for hour in list(disk, &day, "hr=")? {
            for path in list(disk, &hour, "part-")? {
                let bytes = disk
                    .length(&path)
                    .map_err(io_error(&path, "cannot be read"))?;
                parts.push(Part {
                    folder: hour.clone(),
                    path,
                    bytes,
                });
            }
        }
    }
    Ok(parts)
}

fn list(disk: &dyn Disk, folder: &Path, prefix: &str) -> Result<Vec<PathBuf>, JournalError> {
    let mut paths = match disk.list(folder) {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(io_error(folder, "cannot be listed")(error)),
    };
    paths.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix))
    });
    Ok(paths)
}
