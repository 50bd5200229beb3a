//! The values of one column of a piece as numbers, booleans and text. Each error names the column,
//! the file, and the first invalid row and value.

use std::path::Path;

use polars::prelude::{DataType, Series};

use crate::{DatasetError, Excerpt, pieces::Piece};

const NUMBER: &str = "a finite number; leave the value empty where it is missing";
const BOOLEAN: &str = "true, false, 1 or 0; leave the value empty where it is missing";

/// One column of a piece, with the file and the row numbers for messages.
pub(crate) struct Cells<'a> {
    name: &'a str,
    file: &'a Path,
    rows: &'a [u64],
    pub(super) series: Series,
}

impl<'a> Cells<'a> {
    /// The column, if the piece has it.
    pub(crate) fn find(piece: &'a Piece, name: &'a str) -> Option<Self> {
        let column = piece.frame.column(name).ok()?;
        let mut series = column.as_materialized_series().rechunk();
        if series.null_count() == series.len() {
            // A column that has only nulls gets no type, even if the file declares one.
            series = Series::new_null(series.name().clone(), series.len());
        }
        Some(Self {
            name,
            file: &piece.file,
            rows: &piece.rows,
            series,
        })
    }

    /// The numbers of a column; all NaN (missing) if the piece does not have the column.
    pub(crate) fn numbers_or_missing(piece: &Piece, name: &str) -> Result<Vec<f64>, DatasetError> {
        match Cells::find(piece, name) {
            Some(cells) => cells.numbers(),
            None => Ok(vec![f64::NAN; piece.len()]),
        }
    }

    /// The first column divided by the second, row by row; NaN if either is missing or the second
    /// is 0.
    pub(crate) fn ratios(
        piece: &Piece,
        [numerator, denominator]: &[String; 2],
    ) -> Result<Vec<f64>, DatasetError> {
        let numerators = Self::numbers_or_missing(piece, numerator)?.into_iter();
        let pairs = numerators.zip(Self::numbers_or_missing(piece, denominator)?);
        Ok(pairs
            .map(|(n, d)| if d == 0.0 { f64::NAN } else { n / d })
            .collect())
    }

    /// Numbers; NaN where missing. Text is parsed, booleans are 0 and 1.
    pub(crate) fn numbers(&self) -> Result<Vec<f64>, DatasetError> {
        let values: Vec<f64> = match self.series.dtype() {
            DataType::String => return self.parse_each(NUMBER, parse_number),
            dtype if dtype.is_primitive_numeric() || dtype.is_bool() || dtype.is_null() => {
                let cast = self
                    .series
                    .cast(&DataType::Float64)
                    .map_err(|_| self.wrong_type("numbers"))?;
                let values = cast.f64().map_err(|_| self.wrong_type("numbers"))?;
                values
                    .iter()
                    .map(|value| value.unwrap_or(f64::NAN))
                    .collect()
            }
            _ => return Err(self.wrong_type("numbers")),
        };
        match values.iter().position(|value| value.is_infinite()) {
            Some(row) => Err(self.wrong_value(row, &values[row].to_string(), NUMBER)),
            None => Ok(values),
        }
    }

    /// 0 or 1; NaN where missing.
    pub(crate) fn booleans(&self) -> Result<Vec<f64>, DatasetError> {
        if self.series.dtype() == &DataType::String {
            return self.parse_each(BOOLEAN, parse_boolean);
        }
        let values = self.numbers().map_err(|error| match error {
            DatasetError::Type { .. } => self.wrong_type("booleans"),
            other => other,
        })?;
        match values
            .iter()
            .position(|&value| !(value.is_nan() || value == 0.0 || value == 1.0))
        {
            Some(row) => Err(self.wrong_value(row, &values[row].to_string(), BOOLEAN)),
            None => Ok(values),
        }
    }

    /// Text; empty where missing. Numbers become their shortest decimal form, booleans `true` and
    /// `false`, dates ISO 8601.
    pub(crate) fn texts(&self) -> Result<Vec<String>, DatasetError> {
        texts_of(&self.series).ok_or_else(|| self.wrong_type("text or categories"))
    }

    fn parse_each(
        &self,
        expected: &str,
        parse: impl Fn(&str) -> Option<f64>,
    ) -> Result<Vec<f64>, DatasetError> {
        let values = self.series.str().map_err(|_| self.wrong_type(expected))?;
        let parsed = values.iter().enumerate().map(|(row, value)| {
            let value = value.unwrap_or_default();
            parse(value.trim()).ok_or_else(|| self.wrong_value(row, value, expected))
        });
        parsed.collect()
    }

    pub(crate) fn wrong_value(&self, row: usize, value: &str, expected: &str) -> DatasetError {
        DatasetError::Value {
            column: self.name.to_owned(),
            file: self.file.to_owned(),
            row: self.rows[row],
            value: Excerpt::value(value),
            expected: expected.to_owned(),
        }
    }

    pub(super) fn wrong_type(&self, expected: &str) -> DatasetError {
        DatasetError::Type {
            column: self.name.to_owned(),
            file: self.file.to_owned(),
            found: Excerpt::problem(type_name(self.series.dtype())),
            expected: expected.to_owned(),
        }
    }
}

/// NaN for an empty text; `None` if the text is not a finite number.
fn parse_number(text: &str) -> Option<f64> {
    if text.is_empty() {
        return Some(f64::NAN);
    }
    match text {
        "true" => Some(1.0),
        "false" => Some(0.0),
        _ => text
            .parse()
            .ok()
            .filter(|number: &f64| !number.is_infinite()),
    }
}

fn parse_boolean(text: &str) -> Option<f64> {
    if text.eq_ignore_ascii_case("true") {
        return Some(1.0);
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(0.0);
    }
    parse_number(text).filter(|&number| number.is_nan() || number == 0.0 || number == 1.0)
}

/// The values of a scalar column as text; `None` for lists and other nested types.
pub(super) fn texts_of(series: &Series) -> Option<Vec<String>> {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    match series.dtype() {
        DataType::String => Some(series.str().ok()?.iter().map(text).collect()),
        DataType::Boolean => Some(
            series
                .bool()
                .ok()?
                .iter()
                .map(|value| value.map_or_else(String::new, |value| value.to_string()))
                .collect(),
        ),
        DataType::Null => Some(vec![String::new(); series.len()]),
        dtype if dtype.is_float() => {
            // A 32-bit number keeps its own shortest form, 0.1. Through f64 it would be
            // 0.10000000149.
            match series.f32() {
                Ok(values) => Some(float_texts(values.iter(), f32::is_nan)),
                Err(_) => Some(float_texts(series.f64().ok()?.iter(), f64::is_nan)),
            }
        }
        // A time with a zone is stored as an instant, which is written in UTC.
        DataType::Datetime(unit, Some(_)) => {
            let utc = series
                .to_physical_repr()
                .cast(&DataType::Datetime(*unit, None));
            texts_of(&utc.ok()?)
        }
        dtype
            if dtype.is_primitive_numeric()
                || matches!(dtype, DataType::Date | DataType::Datetime(..)) =>
        {
            let cast = series.cast(&DataType::String).ok()?;
            Some(cast.str().ok()?.iter().map(text).collect())
        }
        _ => None,
    }
}

/// Numbers in their shortest form; empty text for missing numbers.
fn float_texts<T: Copy + ToString>(
    values: impl Iterator<Item = Option<T>>,
    is_nan: fn(T) -> bool,
) -> Vec<String> {
    values
        .map(|value| {
            value
                .filter(|&value| !is_nan(value))
                .map_or_else(String::new, |value| value.to_string())
        })
        .collect()
}

fn type_name(dtype: &DataType) -> String {
    match dtype {
        DataType::List(inner) => format!("lists of {}", type_name(inner)),
        DataType::String => "text".to_owned(),
        DataType::Boolean => "booleans".to_owned(),
        DataType::Date => "dates".to_owned(),
        DataType::Datetime(..) => "dates with times".to_owned(),
        other if other.is_primitive_numeric() => "numbers".to_owned(),
        other => format!("{other}"),
    }
}
