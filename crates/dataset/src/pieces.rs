//! Reading files piece by piece, so that memory holds one piece and what was kept of those before
//! it.

mod blocks;
mod csv;
mod decimal;
mod json_line;
mod ndjson;
mod parquet;
mod parquet_sizes;
mod partition;
mod piece;
mod records;

use crate::{
    DatasetError, Excerpt,
    files::{DataFile, Format},
};

pub(crate) use piece::{Needed, Piece, PieceIterator, Shape, retain};

/// Opens a file and checks that it has the needed columns (of NDJSON, where a row may leave a key
/// out, at its end). A column that the file lacks and its path names, as in
/// `dt=2024-01-01/part.parquet`, has the path's value in every row.
pub(crate) fn open(file: &DataFile, needed: &[Needed]) -> Result<PieceIterator, DatasetError> {
    let size = std::fs::metadata(&file.path)
        .map_err(|error| piece::unreadable(&file.path, &error))?
        .len();
    if size == 0 {
        return Err(DatasetError::Empty {
            file: file.path.clone(),
            problem: Excerpt::problem(
                "the file is empty (0 bytes); remove it from `files` or write it again",
            ),
        });
    }
    let needed = partition::relaxed(&file.partitions, needed);
    let pieces: PieceIterator = match file.format {
        Format::Csv => Box::new(csv::CsvPieces::open(&file.path, &needed)?),
        Format::Ndjson => Box::new(ndjson::NdjsonPieces::open(&file.path, &needed)?),
        Format::Parquet => Box::new(parquet::ParquetPieces::open(&file.path, &needed)?),
    };
    Ok(partition::filled(file, &needed, pieces))
}

/// The columns of a file, in its order (of NDJSON the keys of its first line), and those that its
/// path names.
pub(crate) fn read_header(file: &DataFile) -> Result<Vec<String>, DatasetError> {
    let mut names = match file.format {
        Format::Csv => csv::read_header(&file.path),
        Format::Ndjson => ndjson::read_header(&file.path),
        Format::Parquet => parquet::read_header(&file.path),
    }?;
    for (column, _) in &file.partitions {
        if !names.contains(column) {
            names.push(column.clone());
        }
    }
    Ok(names)
}
