//! Views: tensors whose datatype, shape and length are checked.

use std::{borrow::Cow, collections::HashSet, ops::Range};

use bytes::{Bytes, BytesMut};
use counterweight_proto::inference::{InferTensorContents, model_infer_request::InferInputTensor};
use foldhash::fast::RandomState;

use crate::contents::{Elements, decode_all, empty_contents, encode_typed, to_decimal};
use crate::datatype::Datatype;
use crate::error::TensorError;

/// The length before each element of raw BYTES contents.
const PREFIX_BYTES: usize = 4;

/// A tensor of shape `[rows, width]` whose contents have `rows × width` elements.
#[derive(Debug, Clone)]
pub struct TensorView<'a> {
    /// Name.
    pub name: &'a str,
    /// Element type.
    pub datatype: Datatype,
    /// First dimension, at least 1.
    pub rows: usize,
    /// Second dimension, at least 1; it is 1 for the shape `[n]`.
    pub width: usize,
    /// The contents.
    pub data: Data<'a>,
}

/// The contents of a tensor as received.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// Raw contents.
    Raw(&'a Bytes),
    /// Typed contents, in the field that belongs to the datatype.
    Typed(&'a InferTensorContents),
}

/// Where each row of raw BYTES contents ends, behind a 0 for the start of the first.
fn row_ends(raw: &[u8], width: usize) -> Vec<usize> {
    let mut end = 0;
    let mut ends = vec![0];
    for (at, element) in Elements(raw).flatten().enumerate() {
        end += PREFIX_BYTES + element.len();
        if (at + 1) % width == 0 {
            ends.push(end);
        }
    }
    ends
}

/// Checked views over the tensors of one message.
///
/// `raw` is `raw_input_contents`: one element per tensor, or empty if the contents are typed.
///
/// # Errors
/// [`TensorError`] if a tensor has both raw and typed contents, if the number of raw contents is
/// wrong, if two tensors have the same name, if a datatype is unknown, if a shape is not `[n]`,
/// `[n, 1]` or `[n, d]`, or if contents do not fit the datatype and the shape.
pub fn views<'a>(
    inputs: &'a [InferInputTensor],
    raw: &'a [Bytes],
) -> Result<Vec<TensorView<'a>>, TensorError> {
    if !raw.is_empty() && raw.len() != inputs.len() {
        return Err(TensorError::RawCount {
            tensors: inputs.len(),
            raw: raw.len(),
        });
    }
    let mut names = HashSet::with_capacity_and_hasher(inputs.len(), RandomState::default());
    if let Some(again) = inputs
        .iter()
        .find(|input| !names.insert(input.name.as_str()))
    {
        return Err(TensorError::Duplicate {
            tensor: again.name.clone(),
        });
    }
    inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let data = match (raw.get(index), &input.contents) {
                (Some(_), Some(_)) => {
                    return Err(TensorError::Mixed {
                        tensor: input.name.clone(),
                    });
                }
                (Some(raw), None) => Data::Raw(raw),
                (None, Some(contents)) => Data::Typed(contents),
                (None, None) => Data::Typed(empty_contents()),
            };
            TensorView::new(&input.name, &input.datatype, &input.shape, data)
        })
        .collect()
}

impl<'a> TensorView<'a> {
    /// Checks one tensor, which is an input or an output.
    ///
    /// # Errors
    /// As [`views`].
    pub fn new(
        name: &'a str,
        datatype: &str,
        shape: &[i64],
        data: Data<'a>,
    ) -> Result<Self, TensorError> {
        let datatype = Datatype::parse(datatype).ok_or_else(|| TensorError::UnknownDatatype {
            tensor: name.to_owned(),
            datatype: datatype.to_owned(),
        })?;
        let (rows, width, elements) = dimensions(shape).ok_or_else(|| TensorError::Shape {
            tensor: name.to_owned(),
            shape: shape.to_vec(),
        })?;
        let view = Self {
            name,
            datatype,
            rows,
            width,
            data,
        };
        match data {
            Data::Raw(raw) => view.check_raw(raw, shape, elements)?,
            Data::Typed(contents) => view.check_typed(contents, shape, elements)?,
        }
        Ok(view)
    }

    fn check_raw(&self, raw: &Bytes, shape: &[i64], elements: usize) -> Result<(), TensorError> {
        let fits = match self.datatype.size() {
            Some(size) => elements.checked_mul(size) == Some(raw.len()),
            None => return self.check_prefixes(raw, shape, elements),
        };
        if fits {
            return Ok(());
        }
        let size = self.datatype.size().unwrap_or(1);
        Err(self.length_error(
            shape,
            format!("{} bytes", elements.saturating_mul(size)),
            format!("{} bytes", raw.len()),
        ))
    }

    fn check_prefixes(
        &self,
        raw: &Bytes,
        shape: &[i64],
        elements: usize,
    ) -> Result<(), TensorError> {
        let mut found = 0;
        for element in Elements(raw) {
            element.map_err(|()| TensorError::Prefix {
                tensor: self.name.to_owned(),
                element: found,
            })?;
            found += 1;
        }
        self.check_count(shape, elements, found)
    }

    fn check_typed(
        &self,
        contents: &InferTensorContents,
        shape: &[i64],
        elements: usize,
    ) -> Result<(), TensorError> {
        let lengths = [
            ("bool_contents", contents.bool_contents.len()),
            ("int_contents", contents.int_contents.len()),
            ("int64_contents", contents.int64_contents.len()),
            ("uint_contents", contents.uint_contents.len()),
            ("uint64_contents", contents.uint64_contents.len()),
            ("fp32_contents", contents.fp32_contents.len()),
            ("fp64_contents", contents.fp64_contents.len()),
            ("bytes_contents", contents.bytes_contents.len()),
        ];
        let expected = self.datatype.contents_field();
        let mut found = 0;
        for (field, length) in lengths {
            if field == expected {
                found = length;
            } else if length > 0 {
                return Err(TensorError::WrongContents {
                    tensor: self.name.to_owned(),
                    datatype: self.datatype.as_str(),
                    expected,
                });
            }
        }
        self.check_count(shape, elements, found)
    }

    fn check_count(&self, shape: &[i64], elements: usize, found: usize) -> Result<(), TensorError> {
        if found == elements {
            return Ok(());
        }
        Err(self.length_error(
            shape,
            format!("{elements} elements"),
            format!("{found} elements"),
        ))
    }

    fn length_error(&self, shape: &[i64], expected: String, found: String) -> TensorError {
        TensorError::Length {
            tensor: self.name.to_owned(),
            shape: shape.to_vec(),
            datatype: self.datatype.as_str(),
            expected,
            found,
        }
    }

    /// Number of elements: rows × width.
    pub fn elements(&self) -> usize {
        self.rows * self.width
    }

    /// Every element as a double, row major. BOOL becomes 0 or 1. Integers beyond 2^53 are rounded.
    ///
    /// # Errors
    /// [`TensorError::WrongDatatype`] for BYTES.
    pub fn to_f64(&self) -> Result<Vec<f64>, TensorError> {
        Ok(match (self.data, self.datatype) {
            (_, Datatype::Bytes) => {
                return Err(self.wrong_datatype("a numeric datatype: FP32, FP64, INT64 or BOOL"));
            }
            (Data::Typed(typed), datatype) => match datatype {
                Datatype::Bool => typed
                    .bool_contents
                    .iter()
                    .map(|&v| f64::from(u8::from(v)))
                    .collect(),
                Datatype::Fp32 => typed.fp32_contents.iter().map(|&v| f64::from(v)).collect(),
                Datatype::Fp64 => typed.fp64_contents.clone(),
                Datatype::Int64 => typed.int64_contents.iter().map(|&v| v as f64).collect(),
                Datatype::Uint64 => typed.uint64_contents.iter().map(|&v| v as f64).collect(),
                Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => {
                    typed.int_contents.iter().map(|&v| f64::from(v)).collect()
                }
                _ => typed.uint_contents.iter().map(|&v| f64::from(v)).collect(),
            },
            (Data::Raw(raw), datatype) => match datatype {
                Datatype::Bool => raw.iter().map(|&v| f64::from(u8::from(v != 0))).collect(),
                Datatype::Uint8 => raw.iter().map(|&v| f64::from(v)).collect(),
                Datatype::Int8 => decode_all(raw, |[b]: [u8; 1]| f64::from(i8::from_le_bytes([b]))),
                Datatype::Uint16 => decode_all(raw, |b| f64::from(u16::from_le_bytes(b))),
                Datatype::Int16 => decode_all(raw, |b| f64::from(i16::from_le_bytes(b))),
                Datatype::Uint32 => decode_all(raw, |b| f64::from(u32::from_le_bytes(b))),
                Datatype::Int32 => decode_all(raw, |b| f64::from(i32::from_le_bytes(b))),
                Datatype::Uint64 => decode_all(raw, |b| u64::from_le_bytes(b) as f64),
                Datatype::Int64 => decode_all(raw, |b| i64::from_le_bytes(b) as f64),
                Datatype::Fp32 => decode_all(raw, |b| f64::from(f32::from_le_bytes(b))),
                Datatype::Fp64 | Datatype::Bytes => decode_all(raw, f64::from_le_bytes),
            },
        })
    }

    /// Every element as a 32-bit float, row major. Doubles and integers are rounded to the nearest
    /// float.
    ///
    /// # Errors
    /// As [`Self::to_f64`].
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        match (self.data, self.datatype) {
            (Data::Raw(raw), Datatype::Fp32) => Ok(decode_all(raw, f32::from_le_bytes)),
            (Data::Typed(typed), Datatype::Fp32) => Ok(typed.fp32_contents.clone()),
            _ => Ok(self
                .to_f64()?
                .into_iter()
                .map(|value| value as f32)
                .collect()),
        }
    }

    /// Every element as text. BYTES that are not UTF-8 are decoded lossily, and only such an
    /// element is `Cow::Owned` for BYTES. Integers and BOOL become decimal text, so that a category
    /// may be sent as a number.
    ///
    /// # Errors
    /// [`TensorError::WrongDatatype`] for floats.
    pub fn to_strings(&self) -> Result<Vec<Cow<'a, str>>, TensorError> {
        Ok(match (self.data, self.datatype) {
            (_, Datatype::Fp32 | Datatype::Fp64) => {
                return Err(self.wrong_datatype("BYTES (or an integer for a category)"));
            }
            (Data::Raw(raw), Datatype::Bytes) => Elements(raw)
                .flatten()
                .map(String::from_utf8_lossy)
                .collect(),
            (Data::Typed(typed), Datatype::Bytes) => typed
                .bytes_contents
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect(),
            (Data::Typed(typed), Datatype::Int64) => to_decimal(&typed.int64_contents),
            (Data::Typed(typed), Datatype::Uint64) => to_decimal(&typed.uint64_contents),
            (Data::Raw(raw), Datatype::Int64) => to_decimal(&decode_all(raw, i64::from_le_bytes)),
            (Data::Raw(raw), Datatype::Uint64) => to_decimal(&decode_all(raw, u64::from_le_bytes)),
            // Doubles represent the smaller integers and BOOL exactly.
            _ => to_decimal(&self.to_f64()?),
        })
    }

    /// The contents as raw bytes: the raw contents as received, or the encoded typed contents.
    pub fn raw_bytes(&self) -> Bytes {
        match self.data {
            Data::Raw(raw) => raw.clone(),
            Data::Typed(typed) => encode_typed(self.datatype, typed),
        }
    }

    /// The raw bytes of some rows, in that order. A row that the tensor does not have is left out.
    pub fn picked_rows(&self, rows: &[usize]) -> Bytes {
        let all = self.raw_bytes();
        let ranges: Vec<Range<usize>> = match self.datatype.size() {
            Some(size) => {
                let row = size * self.width;
                rows.iter().map(|&at| at * row..(at + 1) * row).collect()
            }
            None => {
                let ends = row_ends(&all, self.width);
                let range = |&at: &usize| Some(*ends.get(at)?..*ends.get(at + 1)?);
                rows.iter().filter_map(range).collect()
            }
        };
        let mut out = BytesMut::with_capacity(ranges.iter().map(Range::len).sum());
        for row in ranges {
            out.extend_from_slice(all.get(row).unwrap_or_default());
        }
        out.freeze()
    }

    /// The raw bytes of a tensor of one row, repeated `rows` times, for servers that do not
    /// broadcast.
    ///
    /// # Errors
    /// [`TensorError::TooLarge`] if the result would have more than `most` bytes.
    pub fn repeated(&self, rows: usize, most: usize) -> Result<Bytes, TensorError> {
        let one = self.raw_bytes();
        let bytes = one.len().checked_mul(rows);
        let bytes = bytes
            .filter(|&bytes| bytes <= most)
            .ok_or_else(|| self.too_large(rows, most))?;
        let mut out = BytesMut::with_capacity(bytes);
        for _ in 0..rows {
            out.extend_from_slice(&one);
        }
        Ok(out.freeze())
    }

    /// The error for a tensor that would take more than `most` bytes with `rows` rows.
    pub fn too_large(&self, rows: usize, most: usize) -> TensorError {
        TensorError::TooLarge {
            tensor: self.name.to_owned(),
            width: self.width,
            rows,
            most,
        }
    }

    fn wrong_datatype(&self, expected: &'static str) -> TensorError {
        TensorError::WrongDatatype {
            tensor: self.name.to_owned(),
            datatype: self.datatype.as_str(),
            expected,
        }
    }
}

/// (rows, width, elements) of the shape `[n]` or `[n, d]`; `None` for any other shape.
fn dimensions(shape: &[i64]) -> Option<(usize, usize, usize)> {
    let (rows, width) = match *shape {
        [rows] => (rows, 1),
        [rows, width] => (rows, width),
        _ => return None,
    };
    let rows = usize::try_from(rows).ok().filter(|&rows| rows > 0)?;
    let width = usize::try_from(width).ok().filter(|&width| width > 0)?;
    Some((rows, width, rows.checked_mul(width)?))
}

#[cfg(test)]
mod tests;
