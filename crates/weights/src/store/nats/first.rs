//! The first copy of the log: it is there whole or not at all, so that a copy on disk means that the log was once seen to
//! its end.

use std::{fs, io, path::Path};

use tokio::time::{Instant, sleep};

use super::{CHUNK, START_PAUSE, link::Link};
use crate::error::StoreError;

/// Fetches the log and writes it beside its place, syncs it, and renames it.
///
/// # Errors
/// The stream is out of reach until the deadline, or is none of ours; the copy cannot be written.
pub(super) async fn copy(link: &Link, path: &Path, deadline: Instant) -> Result<(), StoreError> {
    let log = loop {
        match fetch(link).await {
            Ok(log) => break log,
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
            Err(error) => return Err(error),
        }
    };
    let to = path.to_owned();
    super::super::embedded::blocking(move || {
        write(&to, &log).map_err(|source| StoreError::Io {
            path: to,
            action: "the first copy cannot be written",
            source,
        })
    })
    .await
}

async fn fetch(link: &Link) -> Result<Vec<u8>, StoreError> {
    link.check(true).await?;
    let mut log = Vec::new();
    let last = link.last().await?.map_or(0, |(last, _)| last);
    let mut from = 1;
    while from <= last {
        let until = last.min(from + CHUNK - 1);
        for line in link.lines(from..=until).await? {
            log.extend_from_slice(&line);
        }
        from = until + 1;
    }
    Ok(log)
}

fn write(path: &Path, log: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".first");
    fs::write(&beside, log)?;
    fs::File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)
}
