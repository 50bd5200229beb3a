//! Writes one Parquet file of a log: rows are collected into row groups of a useful size, and the file
//! gets its name when it is complete.

use std::{fs::File, path::Path};

use counterweight_dataset::ParquetRows;
use counterweight_files::AtomicFile;
use polars::prelude::{DataFrame, PolarsResult};

use crate::error::{JoinError, output};

/// Rows that are collected before they are written, so that frames of few rows do not become row
/// groups of few rows.
const GROUP_ROWS: usize = 65_536;

/// A file that is being written. If it is dropped, no file is left behind.
pub(crate) struct Unfinished {
    file: AtomicFile,
    writer: ParquetRows<File>,
    group: Option<DataFrame>,
    rows: u64,
}

impl Unfinished {
    /// Begins a file of rows like these.
    pub(crate) fn create(path: &Path, rows: &DataFrame) -> Result<Self, JoinError> {
        let file = AtomicFile::create(path).map_err(output(path))?;
        let handle = file.file().try_clone().map_err(output(path))?;
        let writer = ParquetRows::begin(handle, rows.schema()).map_err(output(path))?;
        Ok(Self {
            file,
            writer,
            group: None,
            rows: 0,
        })
    }

    pub(crate) fn add(&mut self, rows: DataFrame) -> PolarsResult<()> {
        self.rows += rows.height() as u64;
        let group = match self.group.take() {
            Some(mut group) => {
                group.vstack_mut(&rows)?;
                group
            }
            None => rows,
        };
        match group.height() >= GROUP_ROWS {
            true => self.writer.write(&group)?,
            false => self.group = Some(group),
        }
        Ok(())
    }

    /// The file gets its name. Returns its rows and bytes.
    pub(crate) fn finish(
        mut self,
        metadata: &[(String, String)],
    ) -> Result<(u64, u64), Box<dyn std::error::Error>> {
        if let Some(group) = self.group.take() {
            self.writer.write(&group)?;
        }
        let bytes = self.writer.finish_with(metadata)?;
        self.file.commit()?;
        Ok((self.rows, bytes))
    }
}
