//! Reads Parquet files as whole frames, for programs that pass all columns on.

use std::path::Path;

use polars::prelude::{DataFrame, DataType};

use crate::{
    DatasetError,
    pieces::{Needed, ParquetPieces, Shape, read_parquet_header},
};

/// The rows of a Parquet file, in frames of at most 128 Ki rows, each within one row group. Only one
/// frame is in memory.
pub struct ParquetFrames {
    pieces: ParquetPieces,
}

impl ParquetFrames {
    /// Opens a file. `columns` names the columns to read, which the file must have; `None` reads all.
    ///
    /// # Errors
    /// [`DatasetError::Read`] for a file that cannot be read, [`DatasetError::MissingColumn`] and
    /// [`DatasetError::Type`].
    pub fn open(path: &Path, columns: Option<&[&str]>) -> Result<Self, DatasetError> {
        let names = match columns {
            Some(columns) => columns.iter().map(ToString::to_string).collect(),
            None => read_parquet_header(path)?,
        };
        let needed: Vec<Needed> = names.into_iter().map(needed).collect();
        let pieces = ParquetPieces::open(path, &needed)?;
        Ok(Self { pieces })
    }

    /// The columns that are read and their types, in the order of the file.
    pub fn schema(&self) -> Vec<(String, DataType)> {
        self.pieces.schema()
    }

    /// What the file says under the keys of its metadata.
    pub fn metadata(&self) -> Vec<(String, String)> {
        self.pieces.key_values().to_vec()
    }

    /// The number of its rows.
    pub fn rows(&self) -> u64 {
        self.pieces.rows()
    }
}

impl Iterator for ParquetFrames {
    type Item = Result<DataFrame, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.pieces.next()?;
        Some(piece.map(|piece| piece.frame))
    }
}

fn needed(column: String) -> Needed {
    Needed {
        column,
        needed_as: "column of the log".to_owned(),
        optional: false,
        shape: Shape::Scalar,
    }
}
