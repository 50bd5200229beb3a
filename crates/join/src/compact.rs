//! Rewrites the parts of a log: few large ones for many small ones, and without what the log must
//! forget.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use counterweight_dataset::ParquetFrames;
use counterweight_files::{parent_folder, sync_folder, write_file};
use counterweight_journal::{
    Forgotten, HOUR_MS, Kind, PartFile, oldest_unconverted_hour, parts_of,
};
use polars::prelude::{DataFrame, PolarsResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::{JoinError, output},
    forget::{in_events, in_rankings},
    lock::lock_by,
    output_file::Unfinished,
    united::United,
};

/// Parts are put together up to so many bytes.
const PART_BYTES: u64 = 256 << 20;
/// The file that says which parts another one replaces, until they are removed.
const REPLACING: &str = "replacing.json";

/// What became of the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// Parts that were replaced.
    pub replaced: u64,
    /// Parts that replace them.
    pub written: u64,
    /// Rows that were removed, or lost the candidate that must be forgotten.
    pub forgotten_rows: u64,
    /// Ids whose records are now nowhere in the log; it does not name them any more.
    pub forgotten: u64,
    /// Ids whose records may still be in hours that are not over, or not in parts yet.
    pub waiting: u64,
}

/// A part that replaces others. Names are relative to the log.
#[derive(Serialize, Deserialize)]
struct Replacing {
    new: String,
    old: Vec<String>,
}

/// Compacts the hours of a log that are over and in parts. The log may be in use.
///
/// # Errors
/// See [`JoinError`]. What was replaced before the error stays replaced.
pub fn compact(log: &Path, kind: Kind, now_ms: i64) -> Result<Compacted, JoinError> {
    // The log itself may be in use, which has a lock of its own.
    let _lock = lock_by(log, "compact.lock")?;
    finish_replacing(log)?;
    let forgotten = Forgotten::read(log)?;
    let unconverted = oldest_unconverted_hour(log, kind)?;
    let open = unconverted
        .unwrap_or(i64::MAX)
        .min(now_ms.div_euclid(HOUR_MS));
    let mut hours: BTreeMap<i64, Vec<PartFile>> = BTreeMap::new();
    for part in parts_of(log, kind)?
        .into_iter()
        .filter(|part| part.hour < open)
    {
        hours.entry(part.hour).or_default().push(part);
    }
    let mut compacted = Compacted::default();
    for parts in hours.into_values() {
        for group in groups(parts)? {
            let task = Group {
                log,
                kind,
                forgotten: &forgotten,
                parts: &group,
            };
            task.replace(&mut compacted)?;
        }
    }
    // Records up to this time are in hours that were compacted. What was added meanwhile stays.
    let done =
        |known: Option<&i64>, until: &i64| known == Some(until) && until.div_euclid(HOUR_MS) < open;
    if !forgotten.is_empty() {
        let mut before = 0;
        let count = |all: &Forgotten| (all.units.len() + all.candidates.len()) as u64;
        let left = Forgotten::update(log, |all| {
            before = count(all);
            all.units
                .retain(|id, until| !done(forgotten.units.get(id), until));
            all.candidates
                .retain(|id, until| !done(forgotten.candidates.get(id), until));
        })?;
        compacted.waiting = count(&left);
        compacted.forgotten = before - compacted.waiting;
    }
    Ok(compacted)
}

/// Parts of an hour, in groups of a useful size.
fn groups(parts: Vec<PartFile>) -> Result<Vec<Vec<PartFile>>, JoinError> {
    let mut groups: Vec<Vec<PartFile>> = Vec::new();
    let mut bytes = u64::MAX;
    for part in parts {
        let length = match fs::metadata(&part.path) {
            Ok(metadata) => metadata.len(),
            // The retention of the log removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(output(&part.path)(error)),
        };
        match groups.last_mut() {
            Some(group) if bytes.saturating_add(length) <= PART_BYTES => {
                group.push(part);
                bytes += length;
            }
            _ => {
                groups.push(vec![part]);
                bytes = length;
            }
        }
    }
    Ok(groups)
}

/// Parts that one part replaces.
struct Group<'a> {
    log: &'a Path,
    kind: Kind,
    forgotten: &'a Forgotten,
    parts: &'a [PartFile],
}

impl Group<'_> {
    fn replace(&self, compacted: &mut Compacted) -> Result<(), JoinError> {
        if self.parts.len() < 2 && !self.has_forgotten()? {
            return Ok(());
        }
        let folder = parent_folder(&self.parts[0].path);
        // The name does not end in a number, as those of segments' parts do.
        let name = format!("part-{}-compacted.parquet", Uuid::now_v7());
        let new = folder.join(name);
        let (removed, written) = self.write(&new)?;
        compacted.forgotten_rows += removed;
        compacted.replaced += self.parts.len() as u64;
        compacted.written += u64::from(written > 0);
        Ok(())
    }

    /// Writes the new part and removes the old ones. Returns how many rows were forgotten, and how many
    /// are written.
    fn write(&self, new: &Path) -> Result<(u64, u64), JoinError> {
        let united = United::of(self.parts, &[])?;
        let mut file: Option<Unfinished> = None;
        let (mut removed, mut written) = (0, 0);
        for part in self.parts {
            for frame in ParquetFrames::open(&part.path, None)? {
                let (frame, forgotten) =
                    self.without_forgotten(frame?).map_err(output(&part.path))?;
                removed += forgotten;
                let rows = united.complete(&frame);
                let rows = rows.and_then(|columns| DataFrame::new(frame.height(), columns));
                let rows = rows.map_err(output(&part.path))?;
                if rows.height() == 0 {
                    continue;
                }
                written += rows.height() as u64;
                let file = match &mut file {
                    Some(file) => file,
                    None => file.insert(Unfinished::create(new, &rows)?),
                };
                file.add(rows).map_err(output(new))?;
            }
        }
        let relative = |path: &Path| {
            let relative = path.strip_prefix(self.log).unwrap_or(path);
            relative.to_string_lossy().into_owned()
        };
        let replacing = Replacing {
            new: relative(new),
            old: self.parts.iter().map(|part| relative(&part.path)).collect(),
        };
        let path = self.log.join(REPLACING);
        let text = serde_json::to_string(&replacing).map_err(output(&path))?;
        if let Some(file) = file {
            write_file(&path, text.as_bytes()).map_err(output(&path))?;
            file.finish(&united.metadata).map_err(output(new))?;
            finish_replacing(self.log)?;
        } else {
            remove_all(self.log, &replacing.old)?;
        }
        Ok((removed, written))
    }

    fn without_forgotten(&self, frame: DataFrame) -> PolarsResult<(DataFrame, u64)> {
        match self.kind {
            Kind::Requests => in_rankings(frame, self.forgotten),
            Kind::Events => in_events(frame, self.forgotten),
        }
    }

    /// Whether a row of the parts must be forgotten.
    fn has_forgotten(&self) -> Result<bool, JoinError> {
        if self.forgotten.is_empty() {
            return Ok(false);
        }
        for part in self.parts {
            for frame in ParquetFrames::open(&part.path, None)? {
                let (_, forgotten) = self.without_forgotten(frame?).map_err(output(&part.path))?;
                if forgotten > 0 {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Removes the parts that a complete part replaces. A run that was stopped before its part was complete
/// replaced nothing.
fn finish_replacing(log: &Path) -> Result<(), JoinError> {
    let path = log.join(REPLACING);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(output(&path)(error)),
    };
    let replacing: Replacing = serde_json::from_str(&text).map_err(output(&path))?;
    if log.join(&replacing.new).is_file() {
        remove_all(log, &replacing.old)?;
    }
    fs::remove_file(&path).map_err(output(&path))
}

fn remove_all(log: &Path, parts: &[String]) -> Result<(), JoinError> {
    for part in parts {
        let path: PathBuf = log.join(part);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(output(&path)(error));
            }
            _ => {}
        }
        sync_folder(parent_folder(&path)).map_err(output(&path))?;
    }
    Ok(())
}
