//! Columns that the path of a file gives to all of its rows, as Spark and Hive write them:
//! `dt=2024-01-01/part.parquet`.

use polars::prelude::{IntoColumn, NamedFrom, Series};

use super::piece::{Needed, Piece, PieceIterator, polars_error};
use crate::{
    DatasetError,
    files::{DataFile, Partition},
};

/// The columns needed from a file. Those that its path names may be absent from the file.
pub(super) fn relaxed(partitions: &[Partition], needed: &[Needed]) -> Vec<Needed> {
    let mut needed = needed.to_vec();
    for column in &mut needed {
        column.optional |= partitions.iter().any(|(name, _)| *name == column.column);
    }
    needed
}

/// Adds the columns that the path names to the pieces, where a column is needed and the file has no
/// value for it.
pub(super) fn filled(file: &DataFile, needed: &[Needed], pieces: PieceIterator) -> PieceIterator {
    let mut partitions = file.partitions.clone();
    partitions.retain(|(name, _)| needed.iter().any(|column| column.column == *name));
    if partitions.is_empty() {
        return pieces;
    }
    Box::new(pieces.map(move |piece| fill(piece?, &partitions)))
}

fn fill(mut piece: Piece, partitions: &[Partition]) -> Result<Piece, DatasetError> {
    for (name, value) in partitions {
        let own = piece.frame.column(name).ok();
        if own.is_some_and(|column| column.null_count() < column.len()) {
            continue;
        }
        let values = vec![value.as_deref(); piece.len()];
        let column = Series::new(name.as_str().into(), values).into_column();
        let added = piece.frame.with_column(column).map(drop);
        added.map_err(polars_error(&piece.file))?;
    }
    Ok(piece)
}
