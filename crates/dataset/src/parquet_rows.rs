//! Writes all Parquet files of this project, so that every reader can open them.
//!
//! By default polars adds an Arrow schema to the footer that declares `string_view`, a type that
//! pandas and parts of pyarrow reject. Without that schema, readers use the types of Parquet
//! itself: plain strings and lists.

use std::{io::Write, sync::PoisonError};

use polars::{
    io::parquet::write::BatchedWriter,
    prelude::{DataFrame, ParquetWriter, PolarsResult, Schema},
};
use polars_parquet_format::KeyValue;

/// Maximum rows of a row group.
const ROW_GROUP_ROWS: usize = 262_144;

/// Writes rows as Parquet, compressed with zstd. The file is complete after
/// [`ParquetRows::finish`].
pub struct ParquetRows<W: Write> {
    writer: BatchedWriter<W>,
}

impl<W: Write> ParquetRows<W> {
    /// Begins a file of rows with the columns of `schema`.
    ///
    /// # Errors
    /// When polars cannot write a type as Parquet, or the writer fails.
    pub fn begin(writer: W, schema: &Schema) -> PolarsResult<Self> {
        let writer = ParquetWriter::new(writer).batched(schema)?;
        Ok(Self { writer })
    }

    /// Writes rows that have the columns of the file, as one or more row groups.
    ///
    /// # Errors
    /// When the columns differ from those of the file, or the writer fails.
    pub fn write(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        for first in (0..frame.height()).step_by(ROW_GROUP_ROWS) {
            // A frame never has more rows than an i64 can count.
            let first = i64::try_from(first).unwrap_or(i64::MAX);
            let mut group = frame.slice(first, ROW_GROUP_ROWS);
            // The writer makes one row group of each chunk.
            group.rechunk_mut();
            self.writer.write_batch(&group)?;
        }
        Ok(())
    }

    /// Writes the footer. Returns the size of the file in bytes.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish(self) -> PolarsResult<u64> {
        self.finish_with(&[])
    }

    /// Writes the footer with metadata by key. Returns the size of the file in bytes.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish_with(self, metadata: &[(String, String)]) -> PolarsResult<u64> {
        let writer = self.writer.get_writer();
        // Own metadata, even if it is empty: otherwise polars would add its Arrow schema here.
        let pair = |(key, value): &(String, String)| KeyValue {
            key: key.clone(),
            value: Some(value.clone()),
        };
        let metadata = metadata.iter().map(pair).collect();
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.end(Some(metadata))
    }
}
