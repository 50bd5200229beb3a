//! Values of a frame by row. A column that a file lacks is null in every row.

use std::path::Path;

use counterweight_dataset::ParquetFrames;
use polars::prelude::{
    Column, DataFrame, DataType, Float64Chunked, Int32Chunked, Int64Chunked, PolarsError,
    PolarsResult, StringChunked, TimeUnit,
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
        of: impl Fn(&Column) -> PolarsResult<T>,
    ) -> Result<Option<T>, JoinError> {
        let Ok(column) = self.frame.column(name) else {
            return Ok(None);
        };
        let failed = |error: PolarsError| output(self.file)(format!("column `{name}`: {error}"));
        let column = column.strict_cast(dtype).map_err(failed)?;
        of(&column).map(Some).map_err(failed)
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Texts, JoinError> {
        let column = self.column(name, &DataType::String, |column| column.str().cloned())?;
        Ok(Texts(column))
    }

    /// Times in milliseconds, whatever their unit in the file.
    pub(crate) fn times(&self, name: &str) -> Result<Option<Int64Chunked>, JoinError> {
        let Ok(column) = self.frame.column(name) else {
            return Ok(None);
        };
        let times = millis(column).and_then(|times| times.i64().cloned());
        let failed = |error| output(self.file)(format!("column `{name}`: {error}"));
        times.map(Some).map_err(failed)
    }

    pub(crate) fn integers(&self, name: &str) -> Result<Option<Int32Chunked>, JoinError> {
        self.column(name, &DataType::Int32, |column| column.i32().cloned())
    }

    pub(crate) fn doubles(&self, name: &str) -> Result<Option<Float64Chunked>, JoinError> {
        self.column(name, &DataType::Float64, |column| column.f64().cloned())
    }
}

/// Times as milliseconds since 1970: a column of times has a unit of its own, one of numbers has these.
pub(crate) fn millis(column: &Column) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::Datetime(_, zone) => {
            let millis = DataType::Datetime(TimeUnit::Milliseconds, zone.clone());
            column.cast(&millis)?.cast(&DataType::Int64)
        }
        _ => column.strict_cast(&DataType::Int64),
    }
}

/// Checks that a part has one column of each group.
pub(crate) fn require(
    file: &Path,
    has: &[(String, DataType)],
    groups: &[&[&str]],
) -> Result<(), JoinError> {
    let lacks = |group: &&&[&str]| !has.iter().any(|(own, _)| group.contains(&own.as_str()));
    match groups.iter().find(lacks) {
        None => Ok(()),
        Some(group) => Err(JoinError::Missing {
            file: file.to_owned(),
            column: group.join(" or "),
        }),
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

/// The columns of these names that a part has. It must have one column of each group of `required`.
pub(crate) fn open_columns(
    path: &Path,
    names: &[&'static str],
    required: &[&[&str]],
) -> Result<ParquetFrames, JoinError> {
    let has = ParquetFrames::open(path, None)?.schema();
    require(path, &has, required)?;
    let found: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| has.iter().any(|(own, _)| own == name))
        .collect();
    Ok(ParquetFrames::open(path, Some(&found))?)
}
