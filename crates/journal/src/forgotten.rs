//! What a log must forget: a file beside the parts that every reader obeys at once, until the parts are
//! rewritten without it. Then the file does not name it any more.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use counterweight_files::{sync_folder, write_file};
use serde::{Deserialize, Serialize};

use crate::error::JournalError;

/// The file, in the folder of a log.
const FILE: &str = "forgotten.json";

/// The file that is locked while the former is changed.
const LOCK: &str = "forgotten.lock";

/// What a log must forget: ids, and for each the time up to which its records are forgotten, in
/// milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Units as the log has them, by default their keyed hash.
    pub units: BTreeMap<String, i64>,
    /// Candidates.
    pub candidates: BTreeMap<String, i64>,
}

impl Forgotten {
    /// Reads the file of a log; empty where there is none.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::State`] for a file that is damaged: a reader must not show
    /// what it cannot check.
    pub fn read(log: &Path) -> Result<Self, JournalError> {
        let path = log.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(path, "cannot be read")(error)),
        };
        serde_json::from_str(&text).map_err(|_| JournalError::State {
            path,
            content: text.chars().take(80).collect(),
            expected: "the ids that the log must forget",
        })
    }

    /// Changes the file of a log, one process after another.
    ///
    /// # Errors
    /// As [`Forgotten::read`].
    pub fn update(log: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, JournalError> {
        let path = log.join(LOCK);
        let mut options = fs::File::options();
        let lock = options.create(true).truncate(false).write(true).open(&path);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock));
        let _lock = lock.map_err(failed(path, "cannot be locked"))?;
        let mut all = Self::read(log)?;
        change(&mut all);
        all.write(log)?;
        Ok(all)
    }

    /// Replaces the file of a log, durably. Without ids there is no file.
    fn write(&self, log: &Path) -> Result<(), JournalError> {
        let path = log.join(FILE);
        let written = match self.is_empty() {
            true => fs::remove_file(&path).and_then(|()| sync_folder(log)),
            false => serde_json::to_string_pretty(self)
                .map_err(io::Error::from)
                .and_then(|text| write_file(&path, text.as_bytes())),
        };
        match written {
            Err(error) if self.is_empty() && error.kind() == io::ErrorKind::NotFound => Ok(()),
            written => written.map_err(failed(path, "cannot be written")),
        }
    }

    /// Adds what another one forgets.
    pub fn extend(&mut self, more: &Self) {
        for (own, more) in [
            (&mut self.units, &more.units),
            (&mut self.candidates, &more.candidates),
        ] {
            for (id, until) in more {
                let known = own.entry(id.clone()).or_insert(*until);
                *known = (*known).max(*until);
            }
        }
    }

    /// Whether records of the unit at this time are forgotten.
    #[must_use]
    pub fn has_unit(&self, unit: &str, time_ms: i64) -> bool {
        self.units.get(unit).is_some_and(|until| time_ms <= *until)
    }

    /// Whether records of the candidate at this time are forgotten.
    #[must_use]
    pub fn has_candidate(&self, candidate: &str, time_ms: i64) -> bool {
        let until = self.candidates.get(candidate);
        until.is_some_and(|until| time_ms <= *until)
    }

    /// Whether nothing must be forgotten.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.candidates.is_empty()
    }
}

fn failed(path: PathBuf, action: &'static str) -> impl FnOnce(io::Error) -> JournalError {
    move |error| JournalError::Io {
        path,
        action,
        error,
    }
}
