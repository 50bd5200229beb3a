//! Columns whose value comes from the path of a file and applies to all of its rows, in the
//! convention of Spark and Hive: `dt=2024-01-01/part.parquet`.

use polars::prelude::{IntoColumn, NamedFrom, Series};

use super::piece::{Needed, Piece, PieceIterator, polars_error};
use crate::{
    DatasetError,
    files::{DataFile, Partition},
};

/// The columns that are needed from a file. Columns that its path names become optional.
pub(super) fn relax_partitioned(partitions: &[Partition], needed: &[Needed]) -> Vec<Needed> {
    let mut needed = needed.to_vec();
    for column in &mut needed {
        column.optional |= partitions.iter().any(|(name, _)| *name == column.column);
    }
    needed
}

/// Adds the needed columns that the path names to the pieces, if the file has no value for them.
pub(super) fn fill_partitioned(
    file: &DataFile,
    needed: &[Needed],
    pieces: PieceIterator,
) -> PieceIterator {
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
