//! The file of a log: one line per entry, `<hash> <payload>\n`. Reading it checks every entry, and
//! that each follows the one before it.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
    os::unix::fs::FileExt as _,
    path::Path,
};

use crate::{
    entry::{Entry, FORMAT, NO_HASH, Unreadable},
    error::StoreError,
};

pub(super) const HASH_DIGITS: usize = 64;
/// Bytes that are asked of the system at once.
const BUFFER: usize = 64 << 10;

/// The end of the part of a log that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPosition {
    /// The last entry's revision; 0 before the first.
    pub(crate) revision: u64,
    /// The last entry's hash.
    pub(crate) hash: String,
    /// Where its line ends, in bytes.
    pub(crate) offset: u64,
}

impl LogPosition {
    /// Before the first entry.
    pub(crate) fn start() -> Self {
        Self {
            revision: 0,
            hash: NO_HASH.to_owned(),
            offset: 0,
        }
    }
}

/// What a scan of a file found.
#[derive(Debug)]
pub(crate) struct Scan {
    /// After the last whole entry.
    pub(crate) end: LogPosition,
    /// The bytes after the last newline: a write that was never finished, and so never
    /// acknowledged.
    pub(crate) tail: Vec<u8>,
}

/// Reads the entries after a position, and gives each with the bytes of its line to `visit`.
///
/// # Errors
/// The file cannot be read, or an entry is not what was written; the error names the first one.
pub(crate) fn scan(
    path: &Path,
    file: &File,
    from: LogPosition,
    mut visit: impl FnMut(&Entry, u64),
) -> Result<Scan, StoreError> {
    let mut end = from;
    let mut reader = reader_at(file, end.offset);
    let mut line = Vec::new();
    loop {
        read_line(path, &mut reader, &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok(Scan { end, tail: line });
        }
        let revision = end.revision + 1;
        let entry = decode_line(path, revision, &line)?;
        entry
            .follows(revision, &end.hash)
            .map_err(|problem| StoreError::Corrupt {
                store: path.display().to_string(),
                revision,
                problem,
            })?;
        let length = line.len() as u64;
        visit(&entry, length);
        end = LogPosition {
            revision,
            offset: end.offset + length,
            hash: entry.hash,
        };
    }
}

/// Reads a file from a position on, without moving the position of other readers.
pub(super) fn reader_at(file: &File, offset: u64) -> BufReader<FileAt<'_>> {
    BufReader::with_capacity(BUFFER, FileAt { file, offset })
}

/// Replaces `line` by the next line, with its newline; empty at the end of the file.
pub(super) fn read_line(
    path: &Path,
    reader: &mut BufReader<FileAt<'_>>,
    line: &mut Vec<u8>,
) -> Result<(), StoreError> {
    line.clear();
    let read = reader.read_until(b'\n', line);
    read.map(drop).map_err(|error| StoreError::Io {
        path: path.to_owned(),
        action: "cannot be read",
        error,
    })
}

/// A file that is read from a position on.
#[derive(Debug)]
pub(super) struct FileAt<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for FileAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// The line of an entry.
pub(super) fn encode_line(hash: &str, payload: &str) -> Vec<u8> {
    format!("{hash} {payload}\n").into_bytes()
}

/// What the payload of an entry that cannot be read begins with; its bytes follow in hexadecimal.
const UNREADABLE: &[u8] = b"unreadable:";

/// The line for an entry of a stream that cannot be read, and that a later one skips.
#[cfg(feature = "nats")]
pub(super) fn encode_unreadable(bytes: &[u8]) -> Vec<u8> {
    let payload = [UNREADABLE, hex::encode(bytes).as_bytes()].concat();
    encode_line(
        &crate::entry::digest(bytes),
        &String::from_utf8_lossy(&payload),
    )
}

/// Reads the payload of an entry that cannot be read.
fn decode_unreadable(revision: u64, hash: &[u8], digits: &[u8]) -> Result<Entry, Unreadable> {
    let bytes = hex::decode(digits)
        .map_err(|_| Unreadable::Corrupt("its bytes are not hexadecimal".to_owned()))?;
    let entry = Entry::unreadable(revision, &bytes);
    match entry.hash.as_bytes() == hash {
        true => Ok(entry),
        false => Err(Unreadable::Corrupt(
            "the hash does not match the content".to_owned(),
        )),
    }
}

/// Reads the line of the entry `revision`, and checks its hash.
pub(super) fn decode_line(path: &Path, revision: u64, line: &[u8]) -> Result<Entry, StoreError> {
    let opened = match split_line(line) {
        Some((hash, payload)) => match payload.strip_prefix(UNREADABLE) {
            Some(digits) => decode_unreadable(revision, hash, digits),
            None => Entry::open(payload, hash),
        },
        None => Err(Unreadable::Corrupt(
            "the line is not a hash, a space, the entry and a newline".to_owned(),
        )),
    };
    let store = || path.display().to_string();
    opened.map_err(|error| match error {
        Unreadable::Corrupt(problem) => StoreError::Corrupt {
            store: store(),
            revision,
            problem,
        },
        Unreadable::TooNew(found) => StoreError::TooNew {
            store: store(),
            revision,
            found,
            known: FORMAT,
        },
    })
}

/// The hash and the payload of a line.
pub(super) fn split_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (hash, rest) = line.split_at_checked(HASH_DIGITS)?;
    let payload = rest.strip_prefix(b" ")?.strip_suffix(b"\n")?;
    Some((hash, payload))
}
