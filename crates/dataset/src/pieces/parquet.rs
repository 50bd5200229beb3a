//! Parquet in slices of rows within a row group. Only the needed columns are decoded.

use std::{
    fs::File,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
};

use polars::prelude::{
    ArrowDataType, DataFrame, DataType, IntoColumn, NamedFrom, ParquetReader, PolarsResult,
    SerReader, Series,
};

use super::{
    decimal::{self, Decimal},
    parquet_footer,
    parquet_sizes::{self, Memory},
    piece::{Needed, Piece, find_needed, polars_error, unreadable},
};
use crate::{DatasetError, Excerpt};

/// Rows to read at a time.
const SLICE_ROWS: usize = 128 * 1024;

pub(crate) struct ParquetPieces {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    key_values: Vec<(String, String)>,
    columns: Vec<String>,
    types: Vec<DataType>,
    decimals: Vec<Decimal>,
    /// First row and length of each slice, in reverse order: `pop` returns the next one.
    slices: Vec<(usize, usize)>,
    /// Counts the memory of the texts: many rows may share one text of a dictionary.
    memory: Memory,
}

type Metadata = polars::io::parquet::metadata::FileMetadataRef;

/// The names of the columns in the schema.
pub(crate) fn read_header(path: &Path) -> Result<Vec<String>, DatasetError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    guard(path, || {
        parquet_footer::check(&file).map_err(|problem| unreadable(path, &problem))?;
        let mut reader = ParquetReader::new(file);
        let schema = reader.schema().map_err(polars_error(path))?;
        Ok(schema.iter_names().map(ToString::to_string).collect())
    })
}

impl ParquetPieces {
    pub(crate) fn open(path: &Path, needed: &[Needed]) -> Result<Self, DatasetError> {
        guard(path, || Self::open_checked(path, needed))
    }

    fn open_checked(path: &Path, needed: &[Needed]) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        parquet_footer::check(&file).map_err(|problem| unreadable(path, &problem))?;
        let handle = file.try_clone().map_err(|error| unreadable(path, &error))?;
        let mut reader = ParquetReader::new(handle);
        let mut metadata = reader.get_metadata().map_err(polars_error(path))?.clone();
        // Without the writer's own metadata, the types are those of Parquet: a category is read as
        // a string, and an array of fixed length as a list.
        let own = Arc::make_mut(&mut metadata);
        let key_values = own.key_value_metadata.take().unwrap_or_default();
        let decimals = decimal::strip_logical_types(&mut own.schema_descr);
        reader.set_metadata(metadata.clone());
        let schema = reader.schema().map_err(polars_error(path))?;
        let names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
        let found = find_needed(path, needed, &names)?;
        let is_decimal = |needed: &Needed| decimals.iter().any(|(name, _)| *name == needed.column);
        for column in &found {
            if let Some(field) = schema.get(column.column.as_str())
                && !is_decimal(column)
                && !readable(field.dtype())
            {
                return Err(DatasetError::Type {
                    column: column.column.clone(),
                    file: path.to_owned(),
                    found: Excerpt::problem(format_args!("{:?}", field.dtype())),
                    expected: "numbers, booleans, strings, dates, or lists of numbers or strings; \
                               write it as one of these"
                        .to_owned(),
                });
            }
        }
        let mut columns: Vec<String> = found
            .into_iter()
            .map(|needed| needed.column.clone())
            .collect();
        if columns.is_empty() {
            columns.extend(names.into_iter().next()); // to count the rows
        }
        let type_of = |column: &String| match schema.get(column.as_str()) {
            _ if decimals.iter().any(|(name, _)| name == column) => DataType::String,
            Some(field) => decoded_type(field.dtype()),
            None => DataType::Null,
        };
        let types = columns.iter().map(type_of).collect();
        let refuse = |problem: String| unreadable(path, &problem);
        let length = file.metadata().map_err(|error| unreadable(path, &error))?;
        let memory = Memory::for_file(length.len()).map_err(refuse)?;
        parquet_sizes::check(&file, &metadata, &columns, memory.clone()).map_err(refuse)?;
        let mut slices = slices(metadata.row_groups.iter().map(|group| group.num_rows()));
        slices.reverse();
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
            key_values: key_values
                .into_iter()
                .filter_map(|pair| Some((pair.key, pair.value?)))
                .collect(),
            columns,
            types,
            decimals,
            slices,
            memory,
        })
    }

    /// The columns that are read and the types that their values have.
    pub(crate) fn schema(&self) -> Vec<(String, DataType)> {
        let columns = self.columns.iter().cloned();
        columns.zip(self.types.iter().cloned()).collect()
    }

    /// The file's own metadata, by key.
    pub(crate) fn key_values(&self) -> &[(String, String)] {
        &self.key_values
    }

    /// The number of rows of the file.
    pub(crate) fn rows(&self) -> u64 {
        let groups = self.metadata.row_groups.iter();
        groups.map(|group| group.num_rows() as u64).sum()
    }

    fn piece(&mut self, first: usize, length: usize) -> Result<Piece, DatasetError> {
        let handle = self
            .file
            .try_clone()
            .map_err(|error| unreadable(&self.path, &error))?;
        let mut reader = ParquetReader::new(handle)
            .with_columns(Some(self.columns.clone()))
            .with_slice(Some((first, length)));
        reader.set_metadata(self.metadata.clone());
        let frame = reader
            .set_rechunk(true)
            .finish()
            .map_err(polars_error(&self.path))?;
        let frame = self
            .decimals_as_text(frame)
            .map_err(polars_error(&self.path))?;
        let texts = text_bytes(&frame).map_err(polars_error(&self.path))?;
        self.memory
            .add(texts)
            .map_err(|problem| unreadable(&self.path, &problem))?;
        let (frame, lossy) = decode(frame).map_err(polars_error(&self.path))?;
        Ok(Piece::new(&self.path, frame, first as u64 + 1, lossy))
    }

    fn decimals_as_text(&self, mut frame: DataFrame) -> PolarsResult<DataFrame> {
        for (name, scale) in &self.decimals {
            if let Ok(column) = frame.column(name) {
                let text = decimal::to_text(column, *scale)?;
                frame.with_column(text)?;
            }
        }
        Ok(frame)
    }
}

impl Iterator for ParquetPieces {
    type Item = Result<Piece, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (first, length) = self.slices.pop()?;
        let path = self.path.clone();
        Some(guard(&path, || self.piece(first, length)))
    }
}

/// Runs `read` and converts a panic into an error: the decoder of polars panics on some damaged
/// files.
fn guard<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, DatasetError>,
) -> Result<T, DatasetError> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(unreadable(path, &"the file is damaged; write it again")))
}

/// Slices of at most [`SLICE_ROWS`] rows, each within one row group.
fn slices(groups: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    let mut slices = Vec::new();
    let mut first = 0;
    for rows in groups {
        let end = first + rows;
        while first < end {
            let length = SLICE_ROWS.min(end - first);
            slices.push((first, length));
            first += length;
        }
    }
    slices
}

/// Whether polars, with the features of this build, can read the type.
fn readable(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    match dtype {
        T::List(field) | T::LargeList(field) => readable(field.dtype()),
        T::Null | T::Boolean | T::Float32 | T::Float64 | T::Date32 | T::Timestamp(..) => true,
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => {
            true
        }
        T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView => true,
        _ => false,
    }
}

/// The type of the values of a column once [`decode`] has made strings of bytes.
fn decoded_type(dtype: &ArrowDataType) -> DataType {
    match DataType::from_arrow_dtype(dtype) {
        DataType::Binary => DataType::String,
        decoded => decoded,
    }
}

/// The bytes of all texts. A shared text counts once for each row that uses it.
fn text_bytes(frame: &DataFrame) -> PolarsResult<u64> {
    let mut bytes = 0;
    for column in frame.columns() {
        let lengths: u64 = match column.dtype() {
            DataType::String => {
                let texts = column.str()?.iter().flatten();
                texts.map(|text| text.len() as u64).sum()
            }
            DataType::Binary => {
                let texts = column.binary()?.iter().flatten();
                texts.map(|text| text.len() as u64).sum()
            }
            _ => 0,
        };
        bytes += lengths;
    }
    Ok(bytes)
}

/// Converts bytes to strings, and counts the rows in which some bytes were not valid UTF-8.
fn decode(mut frame: DataFrame) -> PolarsResult<(DataFrame, u64)> {
    let mut broken = vec![false; frame.height()];
    for index in 0..frame.width() {
        let column = &frame.columns()[index];
        if column.dtype() != &DataType::Binary {
            continue;
        }
        let texts: Vec<Option<String>> = column
            .binary()?
            .iter()
            .zip(&mut broken)
            .map(|(bytes, broken)| {
                let text = String::from_utf8_lossy(bytes?);
                *broken |= matches!(text, std::borrow::Cow::Owned(_));
                Some(text.into_owned())
            })
            .collect();
        let decoded = Series::new(column.name().clone(), texts).into_column();
        frame.replace_column(index, decoded)?;
    }
    Ok((
        frame,
        broken.into_iter().filter(|&broken| broken).count() as u64,
    ))
}

#[cfg(test)]
mod tests {
    use polars::prelude::df;

    use super::*;
    use crate::{ParquetRows, pieces::Shape};

    /// A small file whose decoded rows are large: one long text in all rows, and one number.
    fn repetitive() -> (tempfile::NamedTempFile, Vec<Needed>) {
        let text = "x".repeat(10_000);
        let rows = 2_000;
        let frame = df!("text" => vec![text; rows], "number" => vec![7_i64; rows]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ParquetRows::begin(file.reopen().unwrap(), frame.schema()).unwrap();
        writer.write(&frame).unwrap();
        assert!(writer.finish().unwrap() < 100_000);
        let needed = ["text", "number"].map(|column| Needed {
            column: column.to_owned(),
            needed_as: "input".to_owned(),
            optional: false,
            shape: Shape::Scalar,
        });
        (file, needed.into())
    }

    #[test]
    fn a_file_that_would_become_too_large_is_refused() {
        let (file, needed) = repetitive();
        let mut pieces = ParquetPieces::open(file.path(), &needed).unwrap();
        let check = |limit| {
            let memory = Memory::with_limit(limit);
            parquet_sizes::check(&pieces.file, &pieces.metadata, &pieces.columns, memory)
        };
        // The pages are small, and their headers state how many values they represent.
        assert_eq!(check(1 << 20), Ok(()));
        let error = check(1 << 10).unwrap_err();
        assert!(error.contains("more than 1024 bytes"), "{error}");
        // A text counts once for each row that uses it.
        pieces.memory = Memory::with_limit(19_000_000);
        let error = pieces.next().unwrap().unwrap_err().to_string();
        assert!(error.contains("more than 19000000 bytes"), "{error}");
        let mut pieces = ParquetPieces::open(file.path(), &needed).unwrap();
        pieces.memory = Memory::with_limit(21_000_000);
        assert_eq!(pieces.next().unwrap().unwrap().len(), 2_000);
    }
}
