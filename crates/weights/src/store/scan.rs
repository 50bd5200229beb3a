//! Reads the file of an embedded log from its beginning, checks every entry and that each follows the one before it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use crate::{
    entry::{Entry, FORMAT, NO_HASH, Unreadable},
    error::StoreError,
};

const HASH_DIGITS: usize = 64;

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Where each entry starts, and where the last one ends: one more than there are entries.
    pub(crate) bounds: Vec<u64>,
    /// The bytes after the last newline: a write that was never finished, and so never acknowledged.
    pub(crate) tail: Vec<u8>,
}

/// Gives every entry in order to `apply`.
///
/// # Errors
/// The file cannot be read, or an entry is not what was written; the error names the first one.
pub(crate) fn scan(
    path: &Path,
    file: &File,
    mut apply: impl FnMut(Entry),
) -> Result<Scan, StoreError> {
    let mut bounds = vec![0];
    let mut previous = NO_HASH.to_owned();
    let mut reader = BufReader::new(file);
    let mut end = 0;
    loop {
        let mut line = Vec::new();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|source| StoreError::Io {
                path: path.to_owned(),
                action: "cannot be read",
                source,
            })?;
        if !line.ends_with(b"\n") {
            return Ok(Scan { bounds, tail: line });
        }
        let revision = bounds.len() as u64;
        let entry = open_line(path, revision, &line)?;
        entry
            .follows(revision, &previous)
            .map_err(|problem| StoreError::Corrupt {
                store: path.display().to_string(),
                revision,
                problem,
            })?;
        previous.clone_from(&entry.hash);
        apply(entry);
        end += read as u64;
        bounds.push(end);
    }
}

/// The line of an entry: `<hash> <payload>\n`.
pub(super) fn line(hash: &str, payload: &str) -> Vec<u8> {
    format!("{hash} {payload}\n").into_bytes()
}

/// Reads the line of the entry `revision`, and checks its hash.
pub(super) fn open_line(path: &Path, revision: u64, line: &[u8]) -> Result<Entry, StoreError> {
    let opened = match line.split_at_checked(HASH_DIGITS) {
        None => Err(Unreadable::Corrupt("the line is too short".to_owned())),
        Some((hash, rest)) => match rest
            .strip_prefix(b" ")
            .and_then(|rest| rest.strip_suffix(b"\n"))
        {
            Some(payload) => Entry::open(payload, hash),
            None => Err(Unreadable::Corrupt(
                "no space after the hash, or no newline at the end".to_owned(),
            )),
        },
    };
    opened.map_err(|error| refused(path.display().to_string(), revision, error))
}

/// An unreadable entry as an error of the store.
pub(super) fn refused(store: String, revision: u64, error: Unreadable) -> StoreError {
    match error {
        Unreadable::Corrupt(problem) => StoreError::Corrupt {
            store,
            revision,
            problem,
        },
        Unreadable::TooNew(found) => StoreError::TooNew {
            store,
            revision,
            found,
            known: FORMAT,
        },
    }
}
