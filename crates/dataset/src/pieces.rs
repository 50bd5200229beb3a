//! Reads files piece by piece, so that memory contains one piece and the rows kept so far.

mod blocks;
mod csv;
mod decimal;
mod json_line;
mod ndjson;
mod parquet;
mod parquet_footer;
mod parquet_sizes;
mod partition;
mod piece;
mod records;

use crate::{
    DatasetError, Excerpt,
    files::{DataFile, Format},
};

pub(crate) use parquet::{ParquetPieces, read_header as read_parquet_header};
pub(crate) use piece::{Needed, Piece, PieceIterator, Shape, retain};

/// Opens a file and checks that it has the needed columns. For NDJSON, whose rows may omit keys,
/// the check is at the end of the file. If the file lacks a column that its path names, as in
/// `dt=2024-01-01/part.parquet`, every row gets the value from the path.
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
    let needed = partition::relax_partitioned(&file.partitions, needed);
    let pieces: PieceIterator = match file.format {
        Format::Csv => Box::new(csv::CsvPieces::open(&file.path, &needed)?),
        Format::Ndjson => Box::new(ndjson::NdjsonPieces::open(&file.path, &needed)?),
        Format::Parquet => Box::new(parquet::ParquetPieces::open(&file.path, &needed)?),
    };
    Ok(partition::fill_partitioned(file, &needed, pieces))
}

/// The columns of a file in file order (for NDJSON, the keys of its first line), and then the
/// columns that its path names.
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
