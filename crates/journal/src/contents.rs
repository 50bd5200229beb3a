//! What a log's folder holds, read without its lock: the log may be in use.

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use parquet::file::metadata::ParquetMetaDataReader;

use crate::{
    clock::hour_of_folder,
    disk::{Disk as _, OsDisk},
    error::JournalError,
    folder::{io_error, read_segment, segments_in, sequence_of},
    retention::{Part, list_parts},
    segment::{Found, Frames, HEADER_BYTES, Header, Kind},
};

/// The records of one kind in a log's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Complete parts.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The hour of the oldest part, as `dt=YYYY-MM-DD/hr=HH`.
    pub oldest: Option<String>,
    /// The hour of the newest part.
    pub newest: Option<String>,
    /// Segments that have not become parts yet.
    pub segments: u64,
    /// Whole records in them.
    pub records: u64,
    /// Their bytes.
    pub segment_bytes: u64,
    /// Files that cannot be read, or are damaged, and why.
    pub problems: Vec<(PathBuf, String)>,
}

impl Contents {
    /// Reads the footers of all parts and the frames of all segments.
    ///
    /// # Errors
    /// [`JournalError::Io`] when a folder cannot be listed.
    pub fn read(path: &Path, kind: Kind) -> Result<Self, JournalError> {
        let root = path.join(kind.name());
        let mut contents = Self::default();
        // A segment that becomes a part meanwhile is counted as the part that it is by then.
        let segments = segments_in(&OsDisk, &path.join("wal"), kind)?;
        let segments: Vec<_> = segments
            .into_iter()
            .map(|(sequence, path)| (sequence, read_segment(&OsDisk, &path), path))
            .collect();
        let mut converted = HashSet::new();
        for part in list_parts(&OsDisk, &root)? {
            converted.extend(sequence_of(&part.path, ".parquet"));
            match rows_of(&part.path) {
                Ok(rows) => {
                    contents.parts += 1;
                    contents.rows += rows;
                    contents.bytes += part.bytes;
                }
                Err(problem) => contents.problems.push((part.path, problem)),
            }
            let hour = part.folder.strip_prefix(&root).unwrap_or(&part.folder);
            let hour = hour.display().to_string();
            contents.oldest.get_or_insert_with(|| hour.clone());
            contents.newest = Some(hour);
        }
        for (sequence, read, segment) in segments {
            if converted.contains(&sequence) {
                continue;
            }
            let counted = read
                .map_err(|error| error.to_string())
                .and_then(|bytes| contents.add_segment(&segment, &bytes));
            if let Err(problem) = counted {
                contents.problems.push((segment, problem));
            }
        }
        Ok(contents)
    }

    fn add_segment(&mut self, path: &Path, bytes: &[u8]) -> Result<(), String> {
        Header::decode(path, bytes).map_err(|error| error.to_string())?;
        self.segments += 1;
        self.segment_bytes += bytes.len() as u64;
        let mut damaged = 0;
        for found in Frames::new(bytes) {
            match found {
                Found::Record(_) => self.records += 1,
                Found::Damaged { bytes, .. } => damaged += bytes,
            }
        }
        match damaged {
            0 => Ok(()),
            damaged => Err(format!("{damaged} bytes are damaged")),
        }
    }
}

/// A complete part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFile {
    /// The UTC hour of all its records, counted from 1970.
    pub hour: i64,
    /// Where it is.
    pub path: PathBuf,
}

/// The complete parts of a log, oldest hour first. Folders whose names are not hours are skipped.
///
/// # Errors
/// [`JournalError::Io`] when a folder cannot be listed.
pub fn parts_of(path: &Path, kind: Kind) -> Result<Vec<PartFile>, JournalError> {
    let parts = list_parts(&OsDisk, &path.join(kind.name()))?;
    let part = |part: Part| {
        let hour = hour_of_folder(&part.folder)?;
        let path = part.path;
        Some(PartFile { hour, path })
    };
    Ok(parts.into_iter().filter_map(part).collect())
}

/// The oldest hour whose records are in no part yet; `None` where all are.
///
/// # Errors
/// [`JournalError::Io`] when the folder cannot be listed or a segment cannot be read.
pub fn oldest_unconverted_hour(path: &Path, kind: Kind) -> Result<Option<i64>, JournalError> {
    let segments = segments_in(&OsDisk, &path.join("wal"), kind);
    let segments = match segments {
        Err(JournalError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => vec![],
        segments => segments?,
    };
    let mut oldest: Option<i64> = None;
    for (_, segment) in segments {
        let read = OsDisk.read(&segment, 0, HEADER_BYTES);
        let bytes = match read {
            // It became a part meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.map_err(io_error(&segment, "cannot be read"))?,
        };
        if let Some(header) = Header::decode(&segment, &bytes)? {
            oldest = Some(oldest.map_or(header.hour, |oldest| oldest.min(header.hour)));
        }
    }
    Ok(oldest)
}

/// The rows of a part, from its footer.
fn rows_of(part: &Path) -> Result<u64, String> {
    let file = File::open(part).map_err(|error| error.to_string())?;
    let read = ParquetMetaDataReader::new().parse_and_finish(&file);
    let metadata = read.map_err(|error| error.to_string())?;
    u64::try_from(metadata.file_metadata().num_rows()).map_err(|error| error.to_string())
}
