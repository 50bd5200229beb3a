//! Events on their way to the hour of their ranking: files in a temporary folder, so that memory does
//! not grow with the number of events.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io::{BufReader, BufWriter, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use counterweight_files::TEMPORARY_PREFIX;
use counterweight_journal::LoggedEvent;
use prost::Message as _;
use tempfile::TempDir;

use crate::error::{JoinError, output};

/// An event, and what is known of its ranking.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Spilled {
    #[prost(message, required, tag = "1")]
    pub(crate) event: LoggedEvent,
    /// When it arrived.
    #[prost(int64, tag = "2")]
    pub(crate) received_ms: i64,
    /// What is decided already.
    #[prost(enumeration = "Fate", tag = "3")]
    pub(crate) fate: i32,
    /// How its ranking was found.
    #[prost(enumeration = "FoundBy", tag = "4")]
    pub(crate) found_by: i32,
}

/// What is decided of an event before its ranking is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Fate {
    /// Its ranking may be in the hour.
    Open = 0,
    /// It arrived when the hour of its ranking was complete.
    ArrivedLate = 1,
    /// No ranking is known.
    Orphan = 2,
}

/// How the ranking of an event was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum FoundBy {
    Ranking = 0,
    Request = 1,
    Unit = 2,
}

/// Where an event goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    /// To the hour of requests that counts it.
    Hour(i64),
    /// Its ranking has to be looked up.
    Unresolved,
    /// It is a label of a post.
    Posts,
}

/// Files of events, by bucket.
pub(crate) struct Spill {
    folder: TempDir,
    writers: HashMap<Bucket, BufWriter<File>>,
}

impl Spill {
    pub(crate) fn new(out: &Path) -> Result<Self, JoinError> {
        let folder = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir_in(out)
            .map_err(output(out))?;
        Ok(Self {
            folder,
            writers: HashMap::new(),
        })
    }

    fn path(&self, bucket: Bucket) -> PathBuf {
        self.folder.path().join(match bucket {
            Bucket::Hour(hour) => format!("hour{hour}"),
            Bucket::Unresolved => "unresolved".to_owned(),
            Bucket::Posts => "posts".to_owned(),
        })
    }

    pub(crate) fn add(&mut self, bucket: Bucket, spilled: &Spilled) -> Result<(), JoinError> {
        let path = self.path(bucket);
        let writer = match self.writers.entry(bucket) {
            Entry::Occupied(writer) => writer.into_mut(),
            Entry::Vacant(place) => {
                let file = File::options().append(true).create(true).open(&path);
                place.insert(BufWriter::new(file.map_err(output(&path))?))
            }
        };
        let bytes = spilled.encode_to_vec();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let written = writer
            .write_all(&length)
            .and_then(|()| writer.write_all(&bytes));
        written.map_err(output(&path))
    }

    /// The bytes of a bucket.
    pub(crate) fn bytes(&mut self, bucket: Bucket) -> Result<u64, JoinError> {
        self.flush(bucket)?;
        match std::fs::metadata(self.path(bucket)) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(output(&self.path(bucket))(error)),
        }
    }

    fn flush(&mut self, bucket: Bucket) -> Result<(), JoinError> {
        match self.writers.get_mut(&bucket).map(BufWriter::flush) {
            Some(Err(error)) => Err(output(&self.path(bucket))(error)),
            _ => Ok(()),
        }
    }

    /// The events of a bucket, in the order in which they came.
    pub(crate) fn read(
        &mut self,
        bucket: Bucket,
    ) -> Result<impl Iterator<Item = Result<Spilled, JoinError>> + use<>, JoinError> {
        self.flush(bucket)?;
        let path = self.path(bucket);
        let mut reader = match File::open(&path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(output(&path)(error)),
        };
        Ok(std::iter::from_fn(move || {
            let reader = reader.as_mut()?;
            let mut length = [0; 4];
            match reader.read_exact(&mut length) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
                Err(error) => return Some(Err(output(&path)(error))),
            }
            let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
            let read = reader.read_exact(&mut bytes).map_err(output(&path));
            Some(read.and_then(|()| Spilled::decode(&*bytes).map_err(output(&path))))
        }))
    }
}
