//! NDJSON in blocks of whole lines, each parsed by polars. A key that a row omits is missing in
//! that row. A column that no row of the file has is an error at the end of the file.

use std::{collections::BTreeSet, path::Path};

use polars::{
    io::ndjson::core::{is_json_line, parse_ndjson},
    prelude::{DataFrame, DataType, PlSmallStr, Schema},
};

use super::{
    blocks::Blocks,
    json_line,
    piece::{Needed, Piece, Shape, missing_column, unreadable},
};
use crate::{DatasetError, Excerpt};

/// Number of lines whose keys an error lists when a column is not found.
const KEY_LINES: usize = 100;

pub(super) struct NdjsonPieces {
    /// The bytes that were read and not split into lines yet.
    blocks: Blocks,
    needed: Vec<Needed>,
    /// Whether each needed column has had a value so far.
    seen: Vec<bool>,
    /// Keys of the first lines.
    keys: BTreeSet<String>,
    schema: Schema,
    next_row: u64,
    finished: bool,
}

/// The keys of the first line that is not blank.
pub(super) fn read_header(path: &Path) -> Result<Vec<String>, DatasetError> {
    let mut pieces = NdjsonPieces::open(path, &[])?;
    loop {
        let block = pieces.block()?;
        if block.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(line) = lines(&block).next() {
            return match json_line::object(&String::from_utf8_lossy(line)) {
                Ok(object) => Ok(object.into_iter().map(|(key, _)| key).collect()),
                Err(problem) => Err(pieces.wrong_row(1, &problem)),
            };
        }
    }
}

impl NdjsonPieces {
    pub(super) fn open(path: &Path, needed: &[Needed]) -> Result<Self, DatasetError> {
        let mut schema = Schema::default();
        for column in needed {
            let dtype = match column.shape {
                Shape::Scalar => DataType::String,
                Shape::Strings => DataType::List(Box::new(DataType::String)),
                Shape::Numbers => DataType::List(Box::new(DataType::Float64)),
            };
            schema.insert(PlSmallStr::from_str(&column.column), dtype);
        }
        Ok(Self {
            blocks: Blocks::open(path)?,
            needed: needed.to_vec(),
            seen: vec![false; needed.len()],
            keys: BTreeSet::new(),
            schema,
            next_row: 1,
            finished: false,
        })
    }

    /// The next block of whole lines; empty at the end of the file.
    fn block(&mut self) -> Result<Vec<u8>, DatasetError> {
        loop {
            let pending = &mut self.blocks.pending;
            let cut = if self.blocks.at_end {
                Some(pending.len())
            } else {
                let newline = pending.iter().rposition(|&byte| byte == b'\n');
                newline.map(|last| last + 1)
            };
            if let Some(cut) = cut {
                let rest = pending.split_off(cut);
                return Ok(std::mem::replace(pending, rest));
            }
            self.blocks.fill()?;
        }
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<Piece, DatasetError> {
        let text = String::from_utf8_lossy(bytes);
        let lossy = match text {
            std::borrow::Cow::Borrowed(_) => 0,
            std::borrow::Cow::Owned(_) => lines(bytes)
                .filter(|line| std::str::from_utf8(line).is_err())
                .count(),
        };
        for (line, row) in lines(text.as_bytes()).zip(self.next_row..) {
            json_line::check_depth(line).map_err(|problem| self.wrong_row(row, &problem))?;
        }
        for line in lines(text.as_bytes()).take(KEY_LINES.saturating_sub(self.next_row as usize)) {
            if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(line) {
                self.keys.extend(object.into_iter().map(|(key, _)| key));
            }
        }
        let frame = parse_ndjson(text.as_bytes(), None, &self.schema, false)
            .map_err(|_| self.first_wrong(&text))?;
        for (seen, column) in self.seen.iter_mut().zip(frame.columns()) {
            *seen |= column.null_count() < frame.height();
        }
        let piece = Piece::new(&self.blocks.path, frame, self.next_row, lossy as u64);
        self.next_row += piece.len() as u64;
        Ok(piece)
    }

    /// Finds the first invalid value. polars does not report where it stopped, so the lines are
    /// parsed again one by one, and then column by column.
    fn first_wrong(&self, text: &str) -> DatasetError {
        let read = |line: &[u8], schema: &Schema| parse_ndjson(line, Some(1), schema, false);
        for (line, row) in lines(text.as_bytes()).zip(self.next_row..) {
            if read(line, &self.schema).is_ok() {
                continue;
            }
            if let Err(problem) = json_line::object(&String::from_utf8_lossy(line)) {
                return self.wrong_row(row, &problem);
            }
            for needed in &self.needed {
                let mut schema = Schema::default();
                let name = PlSmallStr::from_str(&needed.column);
                let text = Schema::from_iter([(name.clone(), DataType::String)]);
                if let Some(dtype) = self.schema.get(&name) {
                    schema.insert(name, dtype.clone());
                }
                if let (Err(_), Ok(frame)) = (read(line, &schema), read(line, &text)) {
                    return DatasetError::Value {
                        column: needed.column.clone(),
                        file: self.blocks.path.clone(),
                        row,
                        value: shown_value(&frame),
                        expected: match needed.shape {
                            Shape::Numbers => "an array of numbers".to_owned(),
                            _ => "an array of strings".to_owned(),
                        },
                    };
                }
            }
            return self.wrong_row(
                row,
                "the line contains a value that cannot be read; write it again",
            );
        }
        let problem = "the lines have different forms; write each column in one form throughout";
        unreadable(&self.blocks.path, &problem)
    }

    fn wrong_row(&self, row: u64, problem: &str) -> DatasetError {
        DatasetError::Row {
            file: self.blocks.path.clone(),
            row,
            problem: Excerpt::problem(problem),
        }
    }

    fn end(&self) -> Result<(), DatasetError> {
        if self.next_row == 1 {
            let problem = "the file has no rows: it has only blank lines; write it again";
            return Err(DatasetError::Empty {
                file: self.blocks.path.clone(),
                problem: Excerpt::problem(problem),
            });
        }
        let keys: Vec<String> = self.keys.iter().cloned().collect();
        for (needed, seen) in self.needed.iter().zip(&self.seen) {
            if !seen && !needed.optional && !self.keys.contains(&needed.column) {
                return Err(missing_column(&self.blocks.path, needed, &keys));
            }
        }
        Ok(())
    }
}

impl Iterator for NdjsonPieces {
    type Item = Result<Piece, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.finished {
            match self.block() {
                Err(error) => return Some(Err(error)),
                Ok(bytes) if bytes.is_empty() => {
                    self.finished = true;
                    return self.end().err().map(Err);
                }
                // A block of blank lines does not become a piece.
                Ok(bytes) if lines(&bytes).next().is_none() => {}
                Ok(bytes) => return Some(self.piece(&bytes)),
            }
        }
        None
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| is_json_line(line))
}

fn shown_value(frame: &DataFrame) -> Excerpt {
    let value = frame
        .columns()
        .first()
        .and_then(|column| column.get(0).ok());
    let text = value.as_ref().and_then(|value| value.get_str());
    Excerpt::value(text.unwrap_or_default())
}
