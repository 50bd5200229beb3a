//! The snapshot beside a log file: the state up to one of its entries, so that opening reads the
//! snapshot and the later entries instead of the whole log.
//!
//! It is a cache. The log is the truth, entries are never deleted from it, and a snapshot that is
//! missing, torn, of another log or of another version of this program is ignored and made anew.
//! It is one line like those of the log: the hash of its content, a space, the content, a newline.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use counterweight_files::{parent_folder, sync_folder};
use serde::{Deserialize, Serialize};

use super::{
    index::LogIndex,
    line::{decode_line, encode_line, split_line},
};
use crate::{entry::digest, log_state::LogState};

/// A snapshot of another format is ignored.
const FORMAT: u64 = 1;

/// The state of the log up to its entry `state.last`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    format: u64,
    pub(super) index: LogIndex,
    pub(super) state: LogState,
}

/// The same, to be written.
#[derive(Serialize)]
struct Content<'a> {
    format: u64,
    index: &'a LogIndex,
    state: &'a LogState,
}

/// The bytes of a snapshot; `index` ends where `state` does.
pub(super) fn encode(index: &LogIndex, state: &LogState) -> Result<Vec<u8>, serde_json::Error> {
    let content = serde_json::to_string(&Content {
        format: FORMAT,
        index,
        state,
    })?;
    Ok(encode_line(&digest(content.as_bytes()), &content))
}

/// Writes a snapshot beside the log: whole or not at all, also when the machine stops meanwhile.
pub(super) fn write(log: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = path(log);
    let mut new = path.clone().into_os_string();
    new.push(".new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    // Sync before the rename, or a power cut could leave the name without the bytes.
    file.sync_all()?;
    fs::rename(&new, &path)?;
    sync_folder(parent_folder(&path))
}

/// Reads the snapshot of a log and checks it against the chain: the log must have the entry that it
/// ends with, at that place, with that revision and hash. None when no snapshot fits.
pub(super) fn read(log: &Path, file: &File, key_horizon: Duration) -> Option<(Snapshot, u64)> {
    let path = path(log);
    let bytes = fs::read(&path).ok()?;
    match decode(log, file, &bytes) {
        Ok(mut snapshot) => {
            snapshot.state.set_key_horizon(key_horizon);
            Some((snapshot, bytes.len() as u64))
        }
        Err(problem) => {
            tracing::warn!(
                snapshot = %path.display(),
                problem,
                "the snapshot of the weights log is ignored and made anew from the log"
            );
            None
        }
    }
}

fn decode(log: &Path, file: &File, bytes: &[u8]) -> Result<Snapshot, String> {
    let (hash, content) = split_line(bytes).ok_or("it is torn")?;
    if digest(content).as_bytes() != hash {
        return Err("its hash does not match its content".to_owned());
    }
    let snapshot: Snapshot = serde_json::from_slice(content)
        .map_err(|error| format!("this version does not read it: {error}"))?;
    let Snapshot {
        format,
        index,
        state,
    } = &snapshot;
    if *format != FORMAT {
        return Err(format!(
            "it has format {format}, and this version reads {FORMAT}"
        ));
    }
    if index.last != state.last || index.last_start >= index.end {
        return Err("it contradicts itself".to_owned());
    }
    let stranger = |problem: String| format!("it does not fit the log: {problem}");
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    if length < index.end {
        return Err(stranger("the log is shorter".to_owned()));
    }
    let mut line = vec![0; usize::try_from(index.end - index.last_start).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut line, index.last_start)
        .map_err(|error| error.to_string())?;
    let entry = decode_line(log, index.last, &line).map_err(|error| stranger(error.to_string()))?;
    if entry.revision != state.last || entry.hash != state.last_hash {
        return Err(stranger("its last entry is another one".to_owned()));
    }
    Ok(snapshot)
}

/// Where the snapshot of a log is.
pub(super) fn path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".snapshot");
    PathBuf::from(name)
}
