//! The one way in which this project writes Parquet, so that every file opens in every reader.
//!
//! polars puts an Arrow schema into the footer that says `string_view`, a type that pandas and
//! parts of pyarrow refuse. Without it, readers take the types of Parquet itself: plain strings and
//! lists.

use std::{io::Write, sync::PoisonError};

use polars::{
    io::parquet::write::BatchedWriter,
    prelude::{DataFrame, ParquetWriter, PolarsResult, Schema},
};

/// Rows of a row group at most.
const ROW_GROUP_ROWS: usize = 262_144;

/// Writes rows as Parquet, compressed with zstd. The file is complete after
/// [`ParquetRows::finish`].
pub struct ParquetRows<W: Write> {
    writer: BatchedWriter<W>,
}

impl<W: Write> ParquetRows<W> {
    /// Begins a file of rows that have these columns.
    ///
    /// # Errors
    /// What polars cannot write as Parquet.
    pub fn begin(writer: W, schema: &Schema) -> PolarsResult<Self> {
        let writer = ParquetWriter::new(writer).batched(schema)?;
        Ok(Self { writer })
    }

    /// Writes rows that have the columns of the file, as one row group or several if they are many.
    ///
    /// # Errors
    /// What polars or the writer refuses.
    pub fn write(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        for first in (0..frame.height()).step_by(ROW_GROUP_ROWS) {
            // No frame is longer than an i64 counts.
            let first = i64::try_from(first).unwrap_or(i64::MAX);
            let mut group = frame.slice(first, ROW_GROUP_ROWS);
            // The writer takes one row group from each chunk.
            group.rechunk_mut();
            self.writer.write_batch(&group)?;
        }
        Ok(())
    }

    /// Writes the footer. Returns the size of the file in bytes.
    ///
    /// # Errors
    /// What the writer refuses.
    pub fn finish(self) -> PolarsResult<u64> {
        let writer = self.writer.get_writer();
        // No key-value metadata at all: left to itself, polars would add its Arrow schema here.
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.end(Some(Vec::new()))
    }
}
