//! Makes the first copy of the log: whole or not at all, so that a copy on disk means that the log
//! was once read to its end. Entries are written as they arrive, so memory stays small.

use std::path::Path;

use tokio::{
    fs::{self, File},
    io::AsyncWriteExt as _,
    time::{Instant, sleep},
};

use super::link::{CHUNK, Link, START_PAUSE};
use crate::error::StoreError;

/// Fetches the log into a file beside `path`, syncs it, and renames it.
///
/// # Errors
/// The stream is out of reach until the deadline, or cannot be used; the copy cannot be written.
pub(super) async fn copy(link: &Link, path: &Path, deadline: Instant) -> Result<(), StoreError> {
    loop {
        match fetch(link, path).await {
            Err(StoreError::Unavailable { .. }) if Instant::now() < deadline => {
                sleep(START_PAUSE).await;
            }
            Err(StoreError::Unavailable { store, reason }) => {
                return Err(StoreError::NeverSeen {
                    store,
                    path: path.to_owned(),
                    reason,
                });
            }
            outcome => return outcome,
        }
    }
}

async fn fetch(link: &Link, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io {
        path: path.to_owned(),
        action: "the first copy cannot be written",
        source,
    };
    link.check(true).await?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".first");
    // Start over: an earlier attempt may have left a torn file.
    let mut file = File::create(&beside).await.map_err(failed)?;
    let last = link.last().await?.map_or(0, |(last, _)| last);
    let mut from = 1;
    while from <= last {
        let until = last.min(from + CHUNK - 1);
        for line in link.lines(from..=until).await? {
            file.write_all(&line).await.map_err(failed)?;
        }
        from = until + 1;
    }
    // Sync before the rename, or a power cut could leave the name with a part of the log.
    file.sync_all().await.map_err(failed)?;
    fs::rename(&beside, path).await.map_err(failed)
}
