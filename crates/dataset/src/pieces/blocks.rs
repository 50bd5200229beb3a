//! Reads the bytes of a text file block by block and removes a byte order mark.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::piece::unreadable;
use crate::DatasetError;

/// Bytes to read at a time.
const BLOCK_BYTES: usize = 16 * 1024 * 1024;

/// A text file that is being read.
pub(super) struct Blocks {
    pub(super) path: PathBuf,
    /// Bytes that were read and not consumed yet.
    pub(super) pending: Vec<u8>,
    pub(super) at_end: bool,
    file: File,
    begun: bool,
}

impl Blocks {
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        Ok(Self {
            path: path.to_owned(),
            pending: Vec::new(),
            at_end: false,
            file: File::open(path).map_err(|error| unreadable(path, &error))?,
            begun: false,
        })
    }

    /// Appends one more block to the pending bytes.
    pub(super) fn fill(&mut self) -> Result<(), DatasetError> {
        let limit = BLOCK_BYTES as u64;
        let read = (&mut self.file).take(limit).read_to_end(&mut self.pending);
        self.at_end = read.map_err(|error| unreadable(&self.path, &error))? < BLOCK_BYTES;
        if !self.begun {
            self.begun = true;
            self.strip_byte_order_mark()?;
        }
        Ok(())
    }

    fn strip_byte_order_mark(&mut self) -> Result<(), DatasetError> {
        if self.pending.starts_with(b"\xef\xbb\xbf") {
            self.pending.drain(..3);
        }
        if self.pending.starts_with(b"\xff\xfe") || self.pending.starts_with(b"\xfe\xff") {
            let problem = "the file is UTF-16; save it as UTF-8";
            return Err(unreadable(&self.path, &problem));
        }
        Ok(())
    }
}
