//! Verifies the whole log from its first entry: every entry is as it was written, and follows the
//! one before it. It reads the store of a running server, or the file of an embedded log without a
//! server.

use std::{fs::File, path::Path};

use crate::{
    entry::{Entry, NO_HASH, Skipped},
    error::StoreError,
    live::{LiveWeights, READ_AHEAD},
    profile::Action,
    store::{LogPosition, scan},
};

/// What a check of the log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries are as they were written, from the first on.
    pub entries: u64,
    /// The hash of the last of them; 64 zeros when there is none.
    pub last_hash: String,
    /// The first entry that is not as it was written, and what is wrong with it.
    pub broken: Option<(u64, String)>,
    /// The revision of the entry whose hash was looked for.
    pub found: Option<u64>,
    /// Bytes after the last entry: a write that was never finished, and so never acknowledged. Only
    /// a file has them.
    pub unfinished: usize,
    /// Why nothing can be written to the log as it stands: its file was moved, replaced or cut off.
    pub displaced: Option<String>,
    /// The revisions that cannot be read and that a later entry skips.
    pub skipped: Vec<u64>,
    /// Entries that cannot be read and that no later entry has skipped so far.
    unskipped: Vec<Skipped>,
}

/// Verifies the file of an embedded log, without writing and without a server; `noted_hash`, when
/// not empty, is the hash of an entry to look for.
///
/// # Errors
/// The file cannot be read. Broken content is not an error but part of the answer.
pub fn verify_log(path: &Path, noted_hash: &str) -> Result<Verified, StoreError> {
    let file = open(path)?;
    let mut verified = Verified::new();
    match scan(path, &file, LogPosition::start(), |entry, _| {
        verified.add(entry, noted_hash);
    }) {
        Ok(scan) => {
            verified.unfinished = scan.tail.len();
            verified.end();
        }
        Err(error) => verified.broken_by(error)?,
    }
    Ok(verified)
}

/// The entry of a revision in the file of an embedded log, without a server; `None` if the log ends
/// before it. The entries before it are verified.
///
/// # Errors
/// The file cannot be read, or an entry is not what was written.
pub fn read_entry(path: &Path, revision: u64) -> Result<Option<Entry>, StoreError> {
    let mut found = None;
    let scanned = scan(path, &open(path)?, LogPosition::start(), |entry, _| {
        if entry.revision == revision {
            found = Some(entry.clone());
        }
    });
    // What is wrong behind the entry does not matter to it.
    match (found, scanned) {
        (Some(entry), _) => Ok(Some(entry)),
        (None, scanned) => scanned.map(|_| None),
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    File::open(path).map_err(|error| StoreError::Io {
        path: path.to_owned(),
        action: "cannot be opened",
        error,
    })
}

impl LiveWeights {
    /// Verifies the log as the store holds it now; `noted_hash`, when not empty, is the hash of an
    /// entry to look for.
    ///
    /// # Errors
    /// The store cannot be read. Broken content is not an error but part of the answer.
    pub async fn verify(&self, noted_hash: &str) -> Result<Verified, StoreError> {
        let mut verified = Verified::new();
        if let Err(displaced @ StoreError::Displaced { .. }) = self.store.try_out().await {
            verified.displaced = Some(displaced.to_string());
        }
        loop {
            let next = verified.entries + 1;
            let page = match self.read(next, READ_AHEAD).await {
                // The page again, up to the entry that is broken.
                Err(StoreError::Corrupt { revision, .. }) if revision > next => {
                    let good = usize::try_from(revision - next).unwrap_or(READ_AHEAD);
                    self.read(next, good).await
                }
                other => other,
            };
            let entries = match page {
                Ok(entries) => entries,
                Err(error) => {
                    verified.broken_by(error)?;
                    return Ok(verified);
                }
            };
            let last = self.last();
            if entries.is_empty() {
                if verified.entries < last {
                    let problem =
                        format!("it is missing, although revision {last} was read before");
                    verified.broken = Some((next, problem));
                }
                verified.end();
                return Ok(verified);
            }
            for entry in entries {
                if let Err(problem) = entry.follows(verified.entries + 1, &verified.last_hash) {
                    verified.broken = Some((verified.entries + 1, problem));
                    return Ok(verified);
                }
                verified.add(&entry, noted_hash);
            }
        }
    }
}

impl Verified {
    /// What is wrong, for a person; none when nothing is. `noted_hash` is the hash that was looked
    /// for.
    #[must_use]
    pub fn problem(&self, noted_hash: &str) -> Option<String> {
        match &self.broken {
            Some((_, problem)) => Some(problem.clone()),
            None if self.displaced.is_some() => self.displaced.clone(),
            None if !noted_hash.is_empty() && self.found.is_none() => Some(format!(
                "no entry has the hash {noted_hash}: since that hash was noted, the log was cut off, rewritten or replaced"
            )),
            None => None,
        }
    }

    fn new() -> Self {
        Self {
            entries: 0,
            last_hash: NO_HASH.to_owned(),
            broken: None,
            found: None,
            unfinished: 0,
            displaced: None,
            skipped: Vec::new(),
            unskipped: Vec::new(),
        }
    }

    fn add(&mut self, entry: &Entry, noted_hash: &str) {
        self.entries = entry.revision;
        self.last_hash.clone_from(&entry.hash);
        if entry.hash == noted_hash {
            self.found = Some(entry.revision);
        }
        if entry.change.action == Action::Unreadable {
            self.unskipped.push(Skipped {
                revision: entry.revision,
                hash: entry.hash.clone(),
            });
        }
        for skipped in &entry.change.skipped {
            let before = self.unskipped.len();
            self.unskipped.retain(|unreadable| unreadable != skipped);
            if self.unskipped.len() < before {
                self.skipped.push(skipped.revision);
            }
        }
    }

    /// The log has ended: what cannot be read has to be skipped by now.
    fn end(&mut self) {
        if let (None, Some(first)) = (&self.broken, self.unskipped.first()) {
            let problem = "it cannot be read, and no later entry skips it".to_owned();
            self.broken = Some((first.revision, problem));
        }
    }

    fn broken_by(&mut self, error: StoreError) -> Result<(), StoreError> {
        let revision = match &error {
            StoreError::Corrupt {
                revision, problem, ..
            } => {
                self.broken = Some((*revision, problem.clone()));
                return Ok(());
            }
            StoreError::TooNew { revision, .. } => *revision,
            _ => return Err(error),
        };
        self.broken = Some((revision, error.to_string()));
        Ok(())
    }
}
