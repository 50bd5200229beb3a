//! CSV in blocks of whole records. This module finds the records, so that an error can name the row
//! with a wrong number of fields, an open quote or broken UTF-8. polars then reads each clean
//! block. All columns are read as text: the description decides their types, not the first rows of
//! a file.

use std::{io::Cursor, path::Path, sync::Arc};

use polars::prelude::{CsvReadOptions, DataType, PlSmallStr, Schema, SchemaRef, SerReader};

use super::{
    blocks::Blocks,
    piece::{Needed, Piece, find_needed, polars_error, unreadable},
    records::{self, Block},
};
use crate::{DatasetError, Excerpt};

/// A longer record is reported as an unclosed quote instead of being read into memory.
const RECORD_BYTES: usize = 256 * 1024 * 1024;

pub(super) struct CsvPieces {
    /// The bytes that were read and not split into records yet.
    blocks: Blocks,
    width: usize,
    schema: SchemaRef,
    projection: Arc<Vec<usize>>,
    next_row: u64,
}

/// The names in the header.
pub(super) fn read_header(path: &Path) -> Result<Vec<String>, DatasetError> {
    CsvPieces::start(path)?.read_header()
}

impl CsvPieces {
    fn start(path: &Path) -> Result<Self, DatasetError> {
        Ok(Self {
            blocks: Blocks::open(path)?,
            width: 0,
            schema: SchemaRef::default(),
            projection: Arc::default(),
            next_row: 1,
        })
    }

    pub(super) fn open(path: &Path, needed: &[Needed]) -> Result<Self, DatasetError> {
        let mut pieces = Self::start(path)?;
        let names = pieces.read_header()?;
        for column in needed {
            if names.iter().filter(|name| **name == column.column).count() > 1 {
                let problem = format!(
                    "the header names {:?} twice; rename one of the columns",
                    column.column
                );
                return Err(unreadable(path, &problem));
            }
        }
        let found = find_needed(path, needed, &names)?;
        let position = |column: &str| names.iter().position(|name| name == column);
        let mut projection: Vec<usize> = found
            .iter()
            .filter_map(|needed| position(&needed.column))
            .collect();
        if projection.is_empty() {
            projection.push(0); // so that the rows are counted
        }
        pieces.projection = Arc::new(projection);
        pieces.width = names.len();
        pieces.schema = Arc::new(unique_schema(&names));
        Ok(pieces)
    }

    /// Reads the first record and removes it from the pending bytes.
    fn read_header(&mut self) -> Result<Vec<String>, DatasetError> {
        let Some(block) = self.block(1)? else {
            let problem = "the file has no header: it has only blank lines; write it again";
            return Err(DatasetError::Empty {
                file: self.blocks.path.clone(),
                problem: Excerpt::problem(problem),
            });
        };
        let text = String::from_utf8_lossy(&block.clean);
        Ok(split_record(text.strip_suffix('\n').unwrap_or(&text)))
    }

    /// The next block of at most `limit` whole records, or `None` at the end of the file.
    fn block(&mut self, limit: u64) -> Result<Option<Block>, DatasetError> {
        loop {
            let block = records::scan(&self.blocks.pending, self.blocks.at_end, self.width, limit)
                .map_err(|(record, problem)| DatasetError::Row {
                    file: self.blocks.path.clone(),
                    row: self.next_row + record,
                    problem: Excerpt::problem(problem),
                })?;
            self.blocks.pending.drain(..block.consumed);
            if block.records > 0 {
                return Ok(Some(block));
            }
            if self.blocks.at_end {
                return Ok(None);
            }
            if self.blocks.pending.len() > RECORD_BYTES {
                let problem = "the record does not end within 256 MiB; close its quote";
                return Err(DatasetError::Row {
                    file: self.blocks.path.clone(),
                    row: self.next_row,
                    problem: Excerpt::problem(problem),
                });
            }
            self.blocks.fill()?;
        }
    }

    fn piece(&mut self, block: Block) -> Result<Piece, DatasetError> {
        let (text, lossy) = decode(block.clean);
        let options = CsvReadOptions::default()
            .with_has_header(false)
            .with_schema(Some(self.schema.clone()))
            .with_projection(Some(self.projection.clone()))
            .with_raise_if_empty(false)
            .with_rechunk(true);
        let reader = options.into_reader_with_file_handle(Cursor::new(text));
        let frame = reader.finish().map_err(polars_error(&self.blocks.path))?;
        if frame.height() as u64 != block.records {
            let problem = format!(
                "{} records counted from row {}, but {} read; write the file again",
                block.records,
                self.next_row,
                frame.height()
            );
            return Err(unreadable(&self.blocks.path, &problem));
        }
        let piece = Piece::new(&self.blocks.path, frame, self.next_row, lossy);
        self.next_row += block.records;
        Ok(piece)
    }
}

impl Iterator for CsvPieces {
    type Item = Result<Piece, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.block(u64::MAX) {
            Ok(None) => None,
            Ok(Some(block)) => Some(self.piece(block)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A schema with unique names, as polars requires. A repeated name is never needed, since `open`
/// rejects it, so its copies get arbitrary names.
fn unique_schema(names: &[String]) -> Schema {
    let mut schema = Schema::default();
    for (index, name) in names.iter().enumerate() {
        let name = if schema.contains(name) {
            format!("{name}\u{0}{index}")
        } else {
            name.clone()
        };
        schema.insert(PlSmallStr::from_string(name), DataType::String);
    }
    schema
}

/// Splits one clean record into its fields.
fn split_record(record: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = record.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                push(&mut fields, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => push(&mut fields, character),
        }
    }
    fields
}

fn push(fields: &mut [String], character: char) {
    if let Some(field) = fields.last_mut() {
        field.push(character);
    }
}

/// Replaces each broken UTF-8 sequence by U+FFFD, and counts the records in which this happened.
/// Each clean record ends in a newline, so lines are counted. A record with a newline inside quotes
/// counts twice if both of its lines are broken.
fn decode(bytes: Vec<u8>) -> (Vec<u8>, u64) {
    match String::from_utf8(bytes) {
        Ok(text) => (text.into_bytes(), 0),
        Err(error) => {
            let bytes = error.into_bytes();
            let lossy = bytes
                .split(|&byte| byte == b'\n')
                .filter(|line| std::str::from_utf8(line).is_err())
                .count();
            (
                String::from_utf8_lossy(&bytes).into_owned().into_bytes(),
                lossy as u64,
            )
        }
    }
}
