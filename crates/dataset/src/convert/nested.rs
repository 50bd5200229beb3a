//! Lists of categories and vectors of numbers, from list columns or from JSON arrays as text.

use polars::prelude::{DataType, ListChunked, Series};
use serde_json::Value;

use super::cells::{Cells, texts_of};
use crate::DatasetError;

const LIST: &str = "a JSON array of strings such as [\"a\", \"b\"]";

impl Cells<'_> {
    /// Lists; empty where missing. Missing elements are left out, and numbers become their decimal
    /// form.
    pub(super) fn lists(&self) -> Result<Vec<Vec<String>>, DatasetError> {
        match self.series.dtype() {
            DataType::String => self.json(LIST, |values| {
                let texts = values.into_iter().map(element);
                texts
                    .filter(|text| text.as_ref().is_none_or(|text| !text.is_empty()))
                    .collect()
            }),
            DataType::Null => Ok(vec![Vec::new(); self.series.len()]),
            DataType::List(_) => {
                let (bounds, inner) = self.bounds_and_elements("lists of categories")?;
                let texts =
                    texts_of(&inner).ok_or_else(|| self.wrong_type("lists of categories"))?;
                let list = |&(from, to): &(usize, usize)| {
                    texts[from..to]
                        .iter()
                        .filter(|text| !text.is_empty())
                        .cloned()
                        .collect()
                };
                Ok(bounds.iter().map(list).collect())
            }
            _ => Err(self.wrong_type("lists of categories")),
        }
    }

    /// `rows × dim` numbers, row-major. A missing element is NaN; a missing row is NaN throughout.
    pub(super) fn vectors(&self, dim: usize) -> Result<Vec<f32>, DatasetError> {
        let expected = format!("a list of {dim} finite numbers");
        let rows: Vec<Vec<f64>> = match self.series.dtype() {
            DataType::Null => return Ok(vec![f32::NAN; dim * self.series.len()]),
            DataType::String => {
                self.json(&expected, |values| values.iter().map(number).collect())?
            }
            DataType::List(_) => {
                let (bounds, inner) = self.bounds_and_elements(&expected)?;
                let numeric = inner.dtype().is_primitive_numeric() || inner.dtype().is_null();
                let cast = inner.cast(&DataType::Float64).ok().filter(|_| numeric);
                let cast = cast.ok_or_else(|| self.wrong_type(&expected))?;
                let flat: Vec<f64> = cast
                    .f64()
                    .map_err(|_| self.wrong_type(&expected))?
                    .iter()
                    .map(|value| value.unwrap_or(f64::NAN))
                    .collect();
                bounds
                    .iter()
                    .map(|&(from, to)| flat[from..to].to_vec())
                    .collect()
            }
            _ => return Err(self.wrong_type(&expected)),
        };
        let mut values = Vec::with_capacity(dim * rows.len());
        for (row, vector) in rows.iter().enumerate() {
            if vector.is_empty() && dim > 0 {
                values.extend(std::iter::repeat_n(f32::NAN, dim));
                continue;
            }
            let narrow: Vec<f32> = vector.iter().map(|&value| value as f32).collect();
            if vector.len() != dim {
                let found = format!("a list of {}", vector.len());
                return Err(self.wrong_value(row, &found, &expected));
            }
            if let Some(index) = narrow.iter().position(|value| value.is_infinite()) {
                return Err(self.wrong_value(
                    row,
                    &format!("{} at index {index}", vector[index]),
                    &expected,
                ));
            }
            values.extend(narrow);
        }
        Ok(values)
    }

    /// For each row, the start and end of its elements within the elements of all rows, and these
    /// elements. A missing row has no elements.
    fn bounds_and_elements(
        &self,
        expected: &str,
    ) -> Result<(Vec<(usize, usize)>, Series), DatasetError> {
        let lists: &ListChunked = self.series.list().map_err(|_| self.wrong_type(expected))?;
        // The column was rechunked, so it has one chunk, or none if it has no rows.
        let bounds = lists.downcast_iter().flat_map(|array| {
            let index = |offset: i64| usize::try_from(offset).unwrap_or_default();
            let bounds = array.offsets().as_slice().windows(2).enumerate();
            let missing = |row| array.validity().is_some_and(|valid| !valid.get_bit(row));
            bounds.map(move |(row, bounds)| {
                if missing(row) {
                    (0, 0)
                } else {
                    (index(bounds[0]), index(bounds[1]))
                }
            })
        });
        Ok((bounds.collect(), lists.get_inner()))
    }

    /// One JSON array per row; an empty text becomes an empty array.
    fn json<T>(
        &self,
        expected: &str,
        read: impl Fn(Vec<Value>) -> Option<Vec<T>>,
    ) -> Result<Vec<Vec<T>>, DatasetError> {
        let texts = self.series.str().map_err(|_| self.wrong_type(expected))?;
        let rows = texts.iter().enumerate().map(|(row, text)| {
            let text = text.unwrap_or_default();
            if text.trim().is_empty() || text.trim() == "null" {
                return Ok(Vec::new());
            }
            let values = serde_json::from_str::<Vec<Value>>(text)
                .ok()
                .and_then(&read);
            values.ok_or_else(|| self.wrong_value(row, text, expected))
        });
        rows.collect()
    }
}

/// A list element as text, empty for null; `None` for an array or object.
fn element(value: Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text),
        Value::Number(number) => Some(
            number
                .as_f64()
                .filter(|_| number.is_f64())
                .map_or_else(|| number.to_string(), |float| float.to_string()),
        ),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        other => other.as_f64(),
    }
}
