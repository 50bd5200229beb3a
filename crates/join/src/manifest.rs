//! The manifest of a labelled log: which files it has. A file that the manifest does not name is not
//! part of the log, so a new hour appears by one swap of the manifest.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use counterweight_files::{TEMPORARY_PREFIX, write_file};
use counterweight_journal::hour_folder;
use serde::{Deserialize, Serialize};

use crate::{
    counts::Counts,
    error::{JoinError, output},
    rules::Rules,
};

/// The name of the manifest.
const MANIFEST: &str = "manifest.json";
/// The folder of the files.
pub(crate) const LABELLED: &str = "labelled";
/// The version of the manifest and of the rows.
const VERSION: u32 = 1;

/// What a labelled log consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// How its labels were made.
    pub rules: Rules,
    /// The kind and side of each feature, as the models state them.
    pub features: BTreeMap<String, String>,
    /// Its hours, by the name of their folder.
    pub hours: BTreeMap<String, Hour>,
}

/// An hour of requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hour {
    /// Whether all labels of the hour are known. Only then does no later run change it.
    pub complete: bool,
    /// Its files.
    pub files: Vec<LabelledFile>,
    /// The parts of the request log that were read.
    pub parts: usize,
    /// What was counted.
    pub counts: Counts,
}

/// A file of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledFile {
    /// Where it is, relative to the manifest.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

impl Manifest {
    /// A log without hours.
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            version: VERSION,
            rules,
            features: BTreeMap::new(),
            hours: BTreeMap::new(),
        }
    }

    /// Reads the manifest of a labelled log; `None` where there is none.
    ///
    /// # Errors
    /// [`JoinError::Manifest`] and [`JoinError::Output`].
    pub fn read(out: &Path) -> Result<Option<Self>, JoinError> {
        let path = out.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(output(&path)(error)),
        };
        let wrong = |problem: String| JoinError::Manifest {
            path: path.clone(),
            problem,
        };
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |error: serde_json::Error| {
            wrong(format!(
                "this is not a manifest ({error}); remove the folder and join again"
            ))
        };
        let version: Version = serde_json::from_str(&text).map_err(damaged)?;
        if version.version > VERSION {
            return Err(wrong(format!(
                "its version is {}, and this program knows {VERSION}; use a newer program",
                version.version
            )));
        }
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Replaces the manifest in one step, durably.
    pub(crate) fn write(&self, out: &Path) -> Result<(), JoinError> {
        let path = out.join(MANIFEST);
        let mut text = serde_json::to_string_pretty(self).map_err(output(&path))?;
        text.push('\n');
        write_file(&path, text.as_bytes()).map_err(output(&path))
    }

    /// The files of complete hours, in the order of their hours.
    #[must_use]
    pub fn complete_files(&self, out: &Path) -> Vec<PathBuf> {
        let hours = self.hours.values().filter(|hour| hour.complete);
        let files = hours.flat_map(|hour| &hour.files);
        files.map(|file| out.join(&file.path)).collect()
    }

    /// What all hours counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for hour in self.hours.values() {
            all.add(&hour.counts);
        }
        all
    }

    pub(crate) fn is_complete(&self, hour: i64) -> bool {
        let found = self.hours.get(&hour_folder(hour));
        found.is_some_and(|hour| hour.complete)
    }

    /// Removes files that the manifest does not name: those of a run that was stopped, and those that
    /// an earlier run replaced. Readers of the replaced ones had the time since then.
    pub(crate) fn remove_others(&self, out: &Path) -> Result<(), JoinError> {
        let files = self.hours.values().flat_map(|hour| &hour.files);
        let named: HashSet<PathBuf> = files.map(|file| out.join(&file.path)).collect();
        for entry in list(out)? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(TEMPORARY_PREFIX) {
                let removed = match entry.is_dir() {
                    true => fs::remove_dir_all(&entry),
                    false => fs::remove_file(&entry),
                };
                removed.map_err(output(&entry))?;
            }
        }
        for day in list(&out.join(LABELLED))? {
            for hour in list(&day)? {
                for file in list(&hour)? {
                    if !named.contains(&file) {
                        fs::remove_file(&file).map_err(output(&file))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The entries of a folder; none where there is no folder.
fn list(folder: &Path) -> Result<Vec<PathBuf>, JoinError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(output(folder)(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(output(folder))
}
