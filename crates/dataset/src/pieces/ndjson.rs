//! NDJSON in blocks of whole lines, each read by polars. A key that a row leaves out is missing there; a column that no
//! row of the file has is an error at the file's end.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use polars::{
    io::ndjson::core::{is_json_line, parse_ndjson},
    prelude::{DataFrame, DataType, PlSmallStr, Schema},
};

use super::{BLOCK_BYTES, Needed, Piece, Shape, missing, unreadable};
use crate::DatasetError;

/// Lines whose keys are listed when a column is not found.
const KEY_LINES: usize = 100;

pub(super) struct NdjsonPieces {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
    at_end: bool,
    needed: Vec<Needed>,
    /// Whether each needed column had a value so far.
    seen: Vec<bool>,
    /// Keys of the first lines.
    keys: BTreeSet<String>,
    schema: Schema,
    next_row: u64,
    finished: bool,
}

/// The keys of the first line that is not blank.
pub(super) fn header(path: &Path) -> Result<Vec<String>, DatasetError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|error| unreadable(path, &error))?;
        if is_json_line(&line) {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&line)
                .map_err(|error| DatasetError::Row {
                    file: path.to_owned(),
                    row: 1,
                    problem: format!("not a JSON object on one line: {error}"),
                })?;
            return Ok(object.into_iter().map(|(key, _)| key).collect());
        }
    }
    Ok(Vec::new())
}

impl NdjsonPieces {
    pub(super) fn open(path: &Path, needed: &[Needed]) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
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
            path: path.to_owned(),
            file,
            pending: Vec::new(),
            at_end: false,
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
            let cut = if self.at_end {
                Some(self.pending.len())
            } else {
                self.pending
                    .iter()
                    .rposition(|&byte| byte == b'\n')
                    .map(|last| last + 1)
            };
            if let Some(cut) = cut {
                let rest = self.pending.split_off(cut);
                return Ok(std::mem::replace(&mut self.pending, rest));
            }
            let read = (&mut self.file)
                .take(BLOCK_BYTES as u64)
                .read_to_end(&mut self.pending);
            self.at_end = read.map_err(|error| unreadable(&self.path, &error))? < BLOCK_BYTES;
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
        let text = if self.next_row == 1 {
            text.trim_start_matches('\u{feff}')
        } else {
            &text
        };
        for line in lines(text.as_bytes()).take(KEY_LINES.saturating_sub(self.next_row as usize)) {
            if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(line) {
                self.keys.extend(object.into_iter().map(|(key, _)| key));
            }
        }
        let frame = parse_ndjson(text.as_bytes(), None, &self.schema, false)
            .map_err(|_| self.first_wrong(text))?;
        for (seen, column) in self.seen.iter_mut().zip(frame.columns()) {
            *seen |= column.null_count() < frame.height();
        }
        let piece = Piece::new(&self.path, frame, self.next_row, lossy as u64);
        self.next_row += piece.len() as u64;
        Ok(piece)
    }

    /// polars does not say where it stopped: the lines are read again one by one, and column by column.
    fn first_wrong(&self, text: &str) -> DatasetError {
        let read = |line: &[u8], schema: &Schema| parse_ndjson(line, Some(1), schema, false);
        for (line, row) in lines(text.as_bytes()).zip(self.next_row..) {
            let Err(error) = read(line, &self.schema) else {
                continue;
            };
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
                        file: self.path.clone(),
                        row,
                        value: shown(&frame),
                        expected: match needed.shape {
                            Shape::Numbers => "an array of numbers".to_owned(),
                            _ => "an array of strings".to_owned(),
                        },
                    };
                }
            }
            let problem = format!("not a JSON object on one line: {error}");
            return DatasetError::Row {
                file: self.path.clone(),
                row,
                problem,
            };
        }
        unreadable(&self.path, &"the lines cannot be read together")
    }

    fn end(&self) -> Result<(), DatasetError> {
        if self.next_row == 1 {
            let problem = "the file has no rows: it holds only blank lines".to_owned();
            return Err(DatasetError::Empty {
                file: self.path.clone(),
                problem,
            });
        }
        let keys: Vec<String> = self.keys.iter().cloned().collect();
        for (needed, seen) in self.needed.iter().zip(&self.seen) {
            if !seen && !needed.optional && !self.keys.contains(&needed.column) {
                return Err(missing(&self.path, needed, &keys));
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
                // A block of blank lines is no piece.
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

fn shown(frame: &DataFrame) -> String {
    let value = frame
        .columns()
        .first()
        .and_then(|column| column.get(0).ok());
    crate::convert::shorten(
        value
            .as_ref()
            .and_then(|value| value.get_str())
            .unwrap_or_default(),
    )
}
