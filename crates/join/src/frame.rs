//! Values of a frame by row. A column that a file lacks is null in every row.

use std::path::Path;

use counterweight_dataset::ParquetFrames;
use polars::prelude::{
    DataFrame, DataType, Float64Chunked, Int32Chunked, Int64Chunked, StringChunked,
};

use crate::error::{JoinError, output};

/// Columns of one frame of a file.
pub(crate) struct Cells<'a> {
    frame: &'a DataFrame,
    file: &'a Path,
}

impl<'a> Cells<'a> {
    pub(crate) fn new(frame: &'a DataFrame, file: &'a Path) -> Self {
        Self { frame, file }
    }

    fn column<T: Clone>(
        &self,
        name: &str,
        dtype: &DataType,
        of: impl Fn(&polars::prelude::Column) -> polars::prelude::PolarsResult<T>,
    ) -> Result<Option<T>, JoinError> {
        let Ok(column) = self.frame.column(name) else {
            return Ok(None);
        };
        let failed = |error: polars::prelude::PolarsError| {
            output(self.file)(format!("column `{name}`: {error}"))
        };
        let column = column.strict_cast(dtype).map_err(failed)?;
        of(&column).map(Some).map_err(failed)
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Texts, JoinError> {
        let column = self.column(name, &DataType::String, |column| column.str().cloned())?;
        Ok(Texts(column))
    }

    pub(crate) fn longs(&self, name: &str) -> Result<Option<Int64Chunked>, JoinError> {
        self.column(name, &DataType::Int64, |column| column.i64().cloned())
    }

    pub(crate) fn integers(&self, name: &str) -> Result<Option<Int32Chunked>, JoinError> {
        self.column(name, &DataType::Int32, |column| column.i32().cloned())
    }

    pub(crate) fn doubles(&self, name: &str) -> Result<Option<Float64Chunked>, JoinError> {
        self.column(name, &DataType::Float64, |column| column.f64().cloned())
    }
}

/// Texts by row.
pub(crate) struct Texts(Option<StringChunked>);

impl Texts {
    /// The text of a row; empty for none.
    pub(crate) fn get(&self, row: usize) -> &str {
        let texts = self.0.as_ref();
        texts.and_then(|texts| texts.get(row)).unwrap_or_default()
    }

    /// The text of a row; `None` for none.
    pub(crate) fn option(&self, row: usize) -> Option<&str> {
        Some(self.get(row)).filter(|text| !text.is_empty())
    }
}

/// The columns of these names that a part has.
pub(crate) fn open_columns(
    path: &Path,
    names: &[&'static str],
) -> Result<ParquetFrames, JoinError> {
    let has = ParquetFrames::open(path, None)?.schema();
    let found: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| has.iter().any(|(own, _)| own == name))
        .collect();
    Ok(ParquetFrames::open(path, Some(&found))?)
}
