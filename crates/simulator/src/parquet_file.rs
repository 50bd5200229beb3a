//! A Parquet file that is written row group by row group and appears when it is complete.

use std::fs::File;
use std::path::PathBuf;

use counterweight_dataset::ParquetRows;
use counterweight_files::AtomicFile;
use polars::prelude::{DataFrame, PolarsResult};

use crate::config::SimulatorError;

/// A Parquet file that gets its name when it is complete.
pub struct ParquetFile {
    path: PathBuf,
    unfinished: AtomicFile,
    writer: ParquetRows<File>,
}

impl ParquetFile {
    /// Creates the file. `empty` has its columns and no rows.
    ///
    /// # Errors
    /// [`SimulatorError::Write`] and [`SimulatorError::Encode`].
    pub fn create(path: PathBuf, empty: &DataFrame) -> Result<Self, SimulatorError> {
        let write_error = |source| SimulatorError::Write {
            path: path.clone(),
            source,
        };
        let unfinished = AtomicFile::create(&path).map_err(write_error)?;
        // The writer owns its file, so it gets a second handle to the same file.
        let file = unfinished.file().try_clone().map_err(write_error)?;
        let writer =
            ParquetRows::begin(file, empty.schema()).map_err(|source| SimulatorError::Encode {
                path: path.clone(),
                source,
            })?;
        Ok(Self {
            path,
            unfinished,
            writer,
        })
    }

    /// Writes one row group.
    ///
    /// # Errors
    /// [`SimulatorError::Encode`].
    pub fn write(&mut self, frame: PolarsResult<DataFrame>) -> Result<(), SimulatorError> {
        frame
            .and_then(|frame| self.writer.write(&frame))
            .map_err(|source| SimulatorError::Encode {
                path: self.path.clone(),
                source,
            })
    }

    /// Writes the footer and gives the file its name; returns its size in bytes.
    ///
    /// # Errors
    /// [`SimulatorError::Write`] and [`SimulatorError::Encode`].
    pub fn finish(self) -> Result<u64, SimulatorError> {
        let Self {
            path,
            unfinished,
            writer,
        } = self;
        let bytes = writer.finish().map_err(|source| SimulatorError::Encode {
            path: path.clone(),
            source,
        })?;
        unfinished
            .commit()
            .map_err(|source| SimulatorError::Write { path, source })?;
        Ok(bytes)
    }
}
