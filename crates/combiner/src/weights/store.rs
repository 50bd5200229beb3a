//! The embedded weights log: one file, one line per entry, locked, and synced before an entry is acknowledged.
//!
//! A line without its newline at the end of the file is an unfinished write that was never acknowledged: it is moved
//! aside on opening. Anything else that is not as written is an error that names the line, and nothing is changed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use super::entry::{Entry, FORMAT, LineError, NO_HASH};
use crate::error::CombinerError;

/// The writing end; there is one per file, which a lock ensures.
#[derive(Debug)]
pub(super) struct Store {
    file: File,
    log: Arc<Log>,
    last_hash: String,
    closed: bool,
    /// Makes the next append fail after this many bytes, as a full disk does.
    #[cfg(test)]
    pub(super) full_after: Option<usize>,
}

/// The reading end: what is durable, from any thread.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// Where each entry starts, and where the last one ends: one more than there are entries.
    bounds: RwLock<Vec<u64>>,
}

impl Store {
    /// Opens or creates the log, gives every entry in order to `apply`, and keeps the file locked.
    pub(super) fn open(path: &Path, mut apply: impl FnMut(&Entry)) -> Result<Self, CombinerError> {
        let at = |action| {
            move |source| CombinerError::StoreIo {
                path: path.to_owned(),
                action,
                source,
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(at("can not be opened"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CombinerError::StoreLocked {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(at("can not be locked")(source)),
        }
        sync_folder(path).map_err(at("its folder can not be synced"))?;
        let scan = scan(path, &file, &mut apply)?;
        if !scan.tail.is_empty() {
            set_aside(path, &file, &scan)
                .map_err(at("an unfinished last entry can not be moved aside"))?;
        }
        let reader = file.try_clone().map_err(at("can not be opened twice"))?;
        Ok(Self {
            file,
            log: Arc::new(Log {
                path: path.to_owned(),
                file: reader,
                bounds: RwLock::new(scan.bounds),
            }),
            last_hash: scan.last_hash,
            closed: false,
            #[cfg(test)]
            full_after: None,
        })
    }

    /// The reading end.
    pub(super) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Numbers, chains and writes an entry; when this returns, the entry is durable.
    ///
    /// When the write fails the file is cut back to what was acknowledged; when that fails too, the store is closed
    /// for writing.
    pub(super) fn append(&mut self, mut entry: Entry) -> Result<Entry, CombinerError> {
        if self.closed {
            return Err(CombinerError::StoreClosed);
        }
        entry.revision = self.log.last() + 1;
        entry.previous.clone_from(&self.last_hash);
        let line = entry.seal().map_err(|error| CombinerError::Internal {
            what: error.to_string(),
        })?;
        if let Err(source) = self.write(line.as_bytes()) {
            let end = self.log.end();
            if let Err(error) = self.file.set_len(end).and_then(|()| self.file.sync_all()) {
                tracing::error!(%error, path = %self.log.path.display(), "a failed write can not be undone; the weights store is closed for writing");
                self.closed = true;
            }
            return Err(CombinerError::StoreIo {
                path: self.log.path.clone(),
                action: "an entry can not be written",
                source,
            });
        }
        self.log.grow(line.len() as u64);
        self.last_hash.clone_from(&entry.hash);
        Ok(entry)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(room) = self.full_after {
            self.file.write_all(&line[..room.min(line.len())])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.file.write_all(line)?;
        self.file.sync_data()
    }
}

impl Log {
    /// The last revision; 0 when there is none.
    pub(super) fn last(&self) -> u64 {
        self.bounds
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len() as u64
            - 1
    }

    /// The entries from revision `from` (at least 1) on, in order, at most `count`.
    pub(super) fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, CombinerError> {
        let bounds: Vec<u64> = {
            let bounds = self.bounds.read().unwrap_or_else(PoisonError::into_inner);
            let start = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
            bounds
                .iter()
                .copied()
                .skip(start)
                .take(count.saturating_add(1))
                .collect()
        };
        let mut line = Vec::new();
        bounds
            .windows(2)
            .zip(from.max(1)..)
            .map(|(bounds, revision)| {
                line.resize(
                    usize::try_from(bounds[1] - bounds[0]).unwrap_or(usize::MAX),
                    0,
                );
                self.file
                    .read_exact_at(&mut line, bounds[0])
                    .map_err(|source| CombinerError::StoreIo {
                        path: self.path.clone(),
                        action: "an entry can not be read",
                        source,
                    })?;
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                Entry::open(text).map_err(|error| refused(&self.path, revision, error))
            })
            .collect()
    }

    fn end(&self) -> u64 {
        self.bounds
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .copied()
            .unwrap_or(0)
    }

    fn grow(&self, bytes: u64) {
        let mut bounds = self.bounds.write().unwrap_or_else(PoisonError::into_inner);
        let end = bounds.last().copied().unwrap_or(0) + bytes;
        bounds.push(end);
    }
}

/// What a file holds.
struct Scan {
    bounds: Vec<u64>,
    last_hash: String,
    /// The bytes after the last newline.
    tail: Vec<u8>,
}

fn scan(path: &Path, file: &File, apply: &mut impl FnMut(&Entry)) -> Result<Scan, CombinerError> {
    let mut scan = Scan {
        bounds: vec![0],
        last_hash: NO_HASH.to_owned(),
        tail: Vec::new(),
    };
    let mut reader = BufReader::new(file);
    let mut end = 0;
    loop {
        let mut line = Vec::new();
        let read =
            reader
                .read_until(b'\n', &mut line)
                .map_err(|source| CombinerError::StoreIo {
                    path: path.to_owned(),
                    action: "can not be read",
                    source,
                })?;
        let Some(text) = line.strip_suffix(b"\n") else {
            scan.tail = line;
            return Ok(scan);
        };
        let revision = scan.bounds.len() as u64;
        let corrupt = |problem: String| CombinerError::StoreCorrupt {
            path: path.to_owned(),
            line: revision,
            problem,
        };
        let entry = Entry::open(text).map_err(|error| refused(path, revision, error))?;
        if entry.revision != revision {
            return Err(corrupt(format!(
                "it holds revision {} where {revision} belongs",
                entry.revision
            )));
        }
        if entry.previous != scan.last_hash {
            return Err(corrupt("it does not follow the entry before it".to_owned()));
        }
        apply(&entry);
        scan.last_hash = entry.hash;
        end += read as u64;
        scan.bounds.push(end);
    }
}

fn refused(path: &Path, line: u64, error: LineError) -> CombinerError {
    let path = path.to_owned();
    match error {
        LineError::Corrupt(problem) => CombinerError::StoreCorrupt {
            path,
            line,
            problem,
        },
        LineError::TooNew(found) => CombinerError::StoreTooNew {
            path,
            line,
            found,
            known: FORMAT,
        },
    }
}

/// Copies an unfinished last entry into a file of its own, durably, and cuts it off.
fn set_aside(path: &Path, file: &File, scan: &Scan) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".unfinished-{}", scan.bounds.len()));
    let aside = PathBuf::from(name);
    fs::write(&aside, &scan.tail)?;
    File::open(&aside)?.sync_all()?;
    sync_folder(&aside)?;
    file.set_len(scan.bounds.last().copied().unwrap_or(0))?;
    file.sync_all()?;
    tracing::warn!(
        moved_to = %aside.display(),
        bytes = scan.tail.len(),
        "the last entry of the weights store was never finished, and so never acknowledged; it was moved aside"
    );
    Ok(())
}

/// Makes the name of a new file durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use tempfile::TempDir;

    use super::*;
    use crate::weights::{ObjectiveWeight, ProfileWeights};

    fn draft(weight: f64) -> Entry {
        Entry {
            revision: 0,
            profiles: vec![ProfileWeights {
                profile: "default".into(),
                weights: vec![ObjectiveWeight {
                    objective: "engagement".into(),
                    weight,
                }],
            }],
            author: "ana".into(),
            reason: "a test".into(),
            time: Timestamp::default(),
            idempotency_key: String::new(),
            request_digest: String::new(),
            previous: String::new(),
            hash: String::new(),
        }
    }

    fn log_of(count: u64) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.log");
        let mut store = Store::open(&path, |_| panic!("a new log is empty")).unwrap();
        for revision in 1..=count {
            assert_eq!(
                store.append(draft(revision as f64)).unwrap().revision,
                revision
            );
        }
        (folder, path)
    }

    fn revisions(path: &Path) -> Vec<u64> {
        let mut seen = Vec::new();
        Store::open(path, |entry| seen.push(entry.revision)).unwrap();
        seen
    }

    #[test]
    fn entries_survive_and_are_read_from_any_revision() {
        let (_folder, path) = log_of(5);
        assert_eq!(revisions(&path), [1, 2, 3, 4, 5]);
        let log = Store::open(&path, |_| {}).unwrap().log();
        let read = |from, count| {
            log.read(from, count)
                .unwrap()
                .iter()
                .map(|e| e.revision)
                .collect::<Vec<_>>()
        };
        assert_eq!(read(3, 2), [3, 4]);
        assert_eq!(read(5, 9), [5]);
        assert!(read(6, 9).is_empty());
        let all = log.read(1, 9).unwrap();
        assert_eq!(all[0].previous, NO_HASH);
        assert!(all.windows(2).all(|pair| pair[1].previous == pair[0].hash));
    }

    #[test]
    fn two_writers_on_one_file_is_an_error_that_says_so() {
        let (_folder, path) = log_of(1);
        let _first = Store::open(&path, |_| {}).unwrap();
        let error = Store::open(&path, |_| {}).unwrap_err();
        assert!(
            matches!(error, CombinerError::StoreLocked { .. }),
            "{error}"
        );
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_moved_aside_and_the_log_goes_on() {
        let (_folder, path) = log_of(3);
        let whole = fs::read(&path).unwrap();
        let starts: Vec<usize> = Store::open(&path, |_| {})
            .unwrap()
            .log()
            .bounds
            .read()
            .unwrap()
            .iter()
            .map(|&b| b as usize)
            .collect();
        for cut in starts[2] + 1..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(revisions(&path), [1, 2], "cut at {cut}");
            let aside = path.with_extension("log.unfinished-3");
            assert_eq!(fs::read(&aside).unwrap(), &whole[starts[2]..cut]);
            let mut store = Store::open(&path, |_| {}).unwrap();
            assert_eq!(store.append(draft(9.0)).unwrap().revision, 3);
            drop(store);
            assert_eq!(revisions(&path), [1, 2, 3]);
        }
    }

    #[test]
    fn an_entry_written_but_not_acknowledged_is_there_after_a_kill() {
        let (_folder, path) = log_of(1);
        let (_other, longer) = log_of(2);
        fs::copy(&longer, &path).unwrap();
        assert_eq!(revisions(&path), [1, 2]);
    }

    #[test]
    fn a_flipped_byte_anywhere_is_an_error_that_names_its_line() {
        let (_folder, path) = log_of(3);
        let whole = fs::read(&path).unwrap();
        let line_of =
            |at: usize| 1 + whole[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
        for at in (0..whole.len() - 1)
            .step_by(7)
            .filter(|&at| whole[at] != b'\n')
        {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            match Store::open(&path, |_| {}).unwrap_err() {
                CombinerError::StoreCorrupt { line, .. } => {
                    assert_eq!(line, line_of(at), "flipped at {at}");
                }
                other => panic!("flipped at {at}: {other}"),
            }
            assert_eq!(
                fs::read(&path).unwrap(),
                bytes,
                "a corrupt log is left as it is"
            );
        }
    }

    #[test]
    fn entries_that_are_missing_or_exchanged_are_found() {
        let (_folder, path) = log_of(3);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
        let error = Store::open(&path, |_| {}).unwrap_err();
        assert!(
            error.to_string().contains("line 2: it holds revision 3"),
            "{error}"
        );
        let (_other, foreign) = log_of(2);
        let mut store = Store::open(&foreign, |_| {}).unwrap();
        store.append(draft(77.0)).unwrap();
        drop(store);
        let foreign = fs::read_to_string(&foreign).unwrap();
        let replaced = text.replace(
            lines[1],
            &foreign.lines().nth(1).unwrap().replace("2.0", "2.5"),
        );
        fs::write(&path, replaced).unwrap();
        assert!(matches!(
            Store::open(&path, |_| {}),
            Err(CombinerError::StoreCorrupt { line: 2, .. })
        ));
    }

    #[test]
    fn a_store_of_a_newer_version_is_refused() {
        let (_folder, path) = log_of(1);
        let payload = r#"{"format":99}"#;
        let line = format!(
            "{} {payload}\n",
            super::super::entry::digest(payload.as_bytes())
        );
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(&line);
        fs::write(&path, text).unwrap();
        let error = Store::open(&path, |_| {}).unwrap_err();
        assert!(
            matches!(
                error,
                CombinerError::StoreTooNew {
                    line: 2,
                    found: 99,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_full_disk_leaves_what_was_acknowledged_and_the_next_write_works() {
        let (_folder, path) = log_of(2);
        let before = fs::read(&path).unwrap();
        let mut store = Store::open(&path, |_| {}).unwrap();
        for room in [0, 1, 70, 200] {
            store.full_after = Some(room);
            assert!(matches!(
                store.append(draft(3.0)),
                Err(CombinerError::StoreIo { .. })
            ));
            assert_eq!(fs::read(&path).unwrap(), before);
            assert_eq!(store.log().last(), 2);
        }
        store.full_after = None;
        assert_eq!(store.append(draft(3.0)).unwrap().revision, 3);
        drop(store);
        assert_eq!(revisions(&path), [1, 2, 3]);
    }
}
