//! One tensor whose datatype, shape and length have been checked.

use std::{borrow::Cow, collections::HashSet};

use bytes::{Bytes, BytesMut};
use counterweight_proto::inference::{InferTensorContents, model_infer_request::InferInputTensor};

use crate::{
    Datatype, TensorError, encode_bool, encode_f32, encode_f64, encode_i64, encode_strings,
};

/// A tensor of shape [rows, width]: the length of its contents agrees with it.
#[derive(Debug, Clone)]
pub struct TensorView<'a> {
    /// Name.
    pub name: &'a str,
    /// Element type.
    pub datatype: Datatype,
    /// First dimension, at least 1.
    pub rows: usize,
    /// Product of the other dimensions, 1 for `[n]` and `[n, 1]`, at least 1.
    pub width: usize,
    /// The contents.
    pub data: Data<'a>,
}

/// The contents of a tensor as they came.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// Raw contents.
    Raw(&'a Bytes),
    /// Typed contents, in the field that belongs to the datatype.
    Typed(&'a InferTensorContents),
}

/// Checked views over the tensors of one message.
///
/// `raw` is `raw_input_contents`: one element per tensor, or empty when contents are typed.
///
/// # Errors
/// Any [`TensorError`]: raw beside typed contents, duplicate names, unknown datatypes, shapes that are not
/// `[n]`, `[n, 1]` or `[n, d]`, and contents that are shorter or longer than the shape.
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
    let mut names = HashSet::with_capacity(inputs.len());
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

fn empty_contents() -> &'static InferTensorContents {
    static EMPTY: InferTensorContents = InferTensorContents {
        bool_contents: Vec::new(),
        int_contents: Vec::new(),
        int64_contents: Vec::new(),
        uint_contents: Vec::new(),
        uint64_contents: Vec::new(),
        fp32_contents: Vec::new(),
        fp64_contents: Vec::new(),
        bytes_contents: Vec::new(),
    };
    &EMPTY
}

impl<'a> TensorView<'a> {
    /// Checks one tensor, an input or an output.
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
        Err(self.length(
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
        if found == elements {
            return Ok(());
        }
        Err(self.length(
            shape,
            format!("{elements} elements"),
            format!("{found} elements"),
        ))
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
        if found == elements {
            return Ok(());
        }
        Err(self.length(
            shape,
            format!("{elements} elements"),
            format!("{found} elements"),
        ))
    }

    fn length(&self, shape: &[i64], expected: String, found: String) -> TensorError {
        TensorError::Length {
            tensor: self.name.to_owned(),
            shape: shape.to_vec(),
            datatype: self.datatype.as_str(),
            expected,
            found,
        }
    }

    /// rows · width.
    pub fn elements(&self) -> usize {
        self.rows * self.width
    }

    /// Every element as a double, row major; BOOL is 0 or 1. Integers beyond 2^53 are rounded.
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
                Datatype::Int8 => fixed(raw, |[b]: [u8; 1]| f64::from(i8::from_le_bytes([b]))),
                Datatype::Uint16 => fixed(raw, |b| f64::from(u16::from_le_bytes(b))),
                Datatype::Int16 => fixed(raw, |b| f64::from(i16::from_le_bytes(b))),
                Datatype::Uint32 => fixed(raw, |b| f64::from(u32::from_le_bytes(b))),
                Datatype::Int32 => fixed(raw, |b| f64::from(i32::from_le_bytes(b))),
                Datatype::Uint64 => fixed(raw, |b| u64::from_le_bytes(b) as f64),
                Datatype::Int64 => fixed(raw, |b| i64::from_le_bytes(b) as f64),
                Datatype::Fp32 => fixed(raw, |b| f64::from(f32::from_le_bytes(b))),
                Datatype::Fp64 | Datatype::Bytes => fixed(raw, f64::from_le_bytes),
            },
        })
    }

    /// Every element as a float, row major; doubles and integers are rounded to the nearest float.
    ///
    /// # Errors
    /// As [`Self::to_f64`].
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        match (self.data, self.datatype) {
            (Data::Raw(raw), Datatype::Fp32) => Ok(fixed(raw, f32::from_le_bytes)),
            (Data::Typed(typed), Datatype::Fp32) => Ok(typed.fp32_contents.clone()),
            _ => Ok(self
                .to_f64()?
                .into_iter()
                .map(|value| value as f32)
                .collect()),
        }
    }

    /// Every element as text. BYTES that are no UTF-8 are decoded lossily (such an element is `Cow::Owned`);
    /// integers become their decimal text, so that a category may be sent as a number.
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
            (Data::Typed(typed), Datatype::Int64) => decimal(&typed.int64_contents),
            (Data::Typed(typed), Datatype::Uint64) => decimal(&typed.uint64_contents),
            (Data::Raw(raw), Datatype::Int64) => decimal(&fixed(raw, i64::from_le_bytes)),
            (Data::Raw(raw), Datatype::Uint64) => decimal(&fixed(raw, u64::from_le_bytes)),
            // The smaller integers and BOOL are exact as doubles.
            _ => decimal(&self.to_f64()?),
        })
    }

    /// The contents as raw bytes: those that came, or the typed ones encoded.
    pub fn raw_bytes(&self) -> Bytes {
        match self.data {
            Data::Raw(raw) => raw.clone(),
            Data::Typed(typed) => encode_typed(self.datatype, typed),
        }
    }

    /// The raw bytes of a tensor of length 1 repeated `rows` times, for servers that do not broadcast.
    pub fn repeated(&self, rows: usize) -> Bytes {
        let one = self.raw_bytes();
        let mut out = BytesMut::with_capacity(one.len() * rows);
        for _ in 0..rows {
            out.extend_from_slice(&one);
        }
        out.freeze()
    }

    fn wrong_datatype(&self, expected: &'static str) -> TensorError {
        TensorError::WrongDatatype {
            tensor: self.name.to_owned(),
            datatype: self.datatype.as_str(),
            expected,
        }
    }
}

/// (rows, width, elements) of [n], [n, 1] or [n, d].
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

fn fixed<const N: usize, T>(raw: &[u8], decode: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>()
        .0
        .iter()
        .map(|&chunk| decode(chunk))
        .collect()
}

fn decimal<'a, T: ToString>(values: &[T]) -> Vec<Cow<'a, str>> {
    values
        .iter()
        .map(|value| Cow::Owned(value.to_string()))
        .collect()
}

/// The elements of raw BYTES contents; an element that runs past the end is `Err` and the last one.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8], ()>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.0);
        let Some((prefix, rest)) = rest.split_first_chunk::<4>() else {
            return Some(Err(()));
        };
        let Some((element, rest)) = rest.split_at_checked(u32::from_le_bytes(*prefix) as usize)
        else {
            return Some(Err(()));
        };
        self.0 = rest;
        Some(Ok(element))
    }
}

fn encode_typed(datatype: Datatype, typed: &InferTensorContents) -> Bytes {
    // The narrow integers travel in 32-bit fields; their low bytes are the value.
    fn low<const N: usize>(values: impl Iterator<Item = [u8; 4]>) -> Bytes {
        values.flat_map(|bytes| bytes.into_iter().take(N)).collect()
    }
    let ints = || typed.int_contents.iter().map(|value| value.to_le_bytes());
    let uints = || typed.uint_contents.iter().map(|value| value.to_le_bytes());
    match datatype {
        Datatype::Bool => encode_bool(&typed.bool_contents),
        Datatype::Int8 => low::<1>(ints()),
        Datatype::Int16 => low::<2>(ints()),
        Datatype::Int32 => low::<4>(ints()),
        Datatype::Uint8 => low::<1>(uints()),
        Datatype::Uint16 => low::<2>(uints()),
        Datatype::Uint32 => low::<4>(uints()),
        Datatype::Int64 => encode_i64(&typed.int64_contents),
        Datatype::Uint64 => typed
            .uint64_contents
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        Datatype::Fp32 => encode_f32(&typed.fp32_contents),
        Datatype::Fp64 => encode_f64(&typed.fp64_contents),
        Datatype::Bytes => encode_strings(&typed.bytes_contents),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor;

    fn raw(
        name: &str,
        datatype: Datatype,
        shape: &[usize],
        raw: Bytes,
    ) -> Result<Vec<f64>, TensorError> {
        let (inputs, raw) = ([tensor(name, datatype, shape)], [raw]);
        views(&inputs, &raw)?[0].to_f64()
    }

    #[test]
    fn every_numeric_datatype_reads_from_raw_and_from_typed_alike() {
        let typed = InferTensorContents {
            int_contents: vec![-3, 7],
            ..Default::default()
        };
        for datatype in [Datatype::Int8, Datatype::Int16, Datatype::Int32] {
            let bytes = encode_typed(datatype, &typed);
            assert_eq!(raw("x", datatype, &[2], bytes).unwrap(), [-3.0, 7.0]);
        }
        let typed = InferTensorContents {
            uint_contents: vec![3, 250],
            ..Default::default()
        };
        for datatype in [Datatype::Uint8, Datatype::Uint16, Datatype::Uint32] {
            let bytes = encode_typed(datatype, &typed);
            assert_eq!(raw("x", datatype, &[2], bytes).unwrap(), [3.0, 250.0]);
        }
        assert_eq!(
            raw("x", Datatype::Bool, &[2, 1], encode_bool(&[true, false])).unwrap(),
            [1.0, 0.0]
        );
        assert_eq!(
            raw("x", Datatype::Int64, &[1], encode_i64(&[-9])).unwrap(),
            [-9.0]
        );
    }

    #[test]
    fn a_wrong_length_names_the_tensor_and_both_lengths() {
        let error = raw("age", Datatype::Fp32, &[3], encode_f32(&[1.0, 2.0])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tensor \"age\": shape [3] of FP32 needs 12 bytes, but 8 bytes were sent"
        );
    }

    #[test]
    fn shapes_are_checked_without_overflow() {
        for shape in [
            vec![],
            vec![0],
            vec![-1],
            vec![2, 0],
            vec![1, 1, 1],
            vec![i64::MAX, i64::MAX],
        ] {
            let bytes = Bytes::new();
            let error = TensorView::new("x", "FP32", &shape, Data::Raw(&bytes)).unwrap_err();
            assert!(
                matches!(error, TensorError::Shape { .. }),
                "{shape:?}: {error}"
            );
        }
        let bytes = Bytes::new();
        let error = TensorView::new("x", "FP64", &[i64::MAX], Data::Raw(&bytes)).unwrap_err();
        assert!(matches!(error, TensorError::Length { .. }), "{error}");
    }

    #[test]
    fn mixed_duplicate_and_miscounted_contents_are_refused() {
        let contents = InferTensorContents {
            fp32_contents: vec![1.0],
            ..Default::default()
        };
        let plain = tensor("x", Datatype::Fp32, &[1]);
        let typed = InferInputTensor {
            contents: Some(contents),
            ..plain.clone()
        };
        let one = encode_f32(&[1.0]);
        assert!(matches!(
            views(std::slice::from_ref(&typed), std::slice::from_ref(&one)),
            Err(TensorError::Mixed { .. })
        ));
        assert!(matches!(
            views(&[plain.clone(), plain.clone()], &[]),
            Err(TensorError::Duplicate { .. })
        ));
        assert!(matches!(
            views(&[], std::slice::from_ref(&one)),
            Err(TensorError::RawCount { .. })
        ));
        let wrong = InferInputTensor {
            datatype: "FP64".into(),
            ..typed
        };
        assert!(matches!(
            views(&[wrong], &[]),
            Err(TensorError::WrongContents { .. })
        ));
        assert!(matches!(
            views(&[plain], &[]),
            Err(TensorError::Length { .. })
        ));
        let unknown = InferInputTensor {
            datatype: "FP16".into(),
            ..tensor("y", Datatype::Fp32, &[1])
        };
        assert!(
            views(&[unknown], &[])
                .unwrap_err()
                .to_string()
                .contains("FP16")
        );
    }

    #[test]
    fn bytes_elements_are_bounded_by_their_prefixes() {
        for bytes in [
            &[1, 0, 0][..],
            &[2, 0, 0, 0, b'a'][..],
            &[255, 255, 255, 255, 1][..],
        ] {
            let bytes = Bytes::copy_from_slice(bytes);
            let error = TensorView::new("t", "BYTES", &[1], Data::Raw(&bytes)).unwrap_err();
            assert_eq!(
                error,
                TensorError::Prefix {
                    tensor: "t".into(),
                    element: 0
                }
            );
        }
        let bytes = encode_strings(["a", "b"]);
        let error = TensorView::new("t", "BYTES", &[3], Data::Raw(&bytes)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("needs 3 elements, but 2 elements"),
            "{error}"
        );
    }

    #[test]
    fn text_is_decoded_lossily_and_numbers_become_categories() {
        let bytes = encode_strings([&b"ok"[..], &b"\xff"[..], b""]);
        let view = TensorView::new("t", "BYTES", &[3], Data::Raw(&bytes)).unwrap();
        let strings = view.to_strings().unwrap();
        assert_eq!(strings, ["ok", "\u{fffd}", ""]);
        assert!(matches!(strings[0], Cow::Borrowed(_)) && matches!(strings[1], Cow::Owned(_)));
        let bytes = encode_i64(&[i64::MAX]);
        let view = TensorView::new("t", "INT64", &[1], Data::Raw(&bytes)).unwrap();
        assert_eq!(view.to_strings().unwrap(), ["9223372036854775807"]);
        assert!(view.to_f64().is_ok());
        let bytes = encode_f32(&[1.0]);
        let view = TensorView::new("t", "FP32", &[1], Data::Raw(&bytes)).unwrap();
        assert!(
            view.to_strings()
                .unwrap_err()
                .to_string()
                .contains("send BYTES")
        );
    }

    #[test]
    fn a_context_tensor_repeats() {
        let bytes = encode_strings(["ab"]);
        let view = TensorView::new("t", "BYTES", &[1], Data::Raw(&bytes)).unwrap();
        assert_eq!(view.repeated(2), encode_strings(["ab", "ab"]));
    }

    proptest! {
        #[test]
        fn doubles_and_strings_survive(values in prop::collection::vec(any::<f64>(), 1..40), texts in prop::collection::vec(".*", 1..20)) {
            let inputs = [tensor("x", Datatype::Fp64, &[values.len()]), tensor("t", Datatype::Bytes, &[texts.len(), 1])];
            let raw = [encode_f64(&values), encode_strings(&texts)];
            let views = views(&inputs, &raw).unwrap();
            let back = views[0].to_f64().unwrap();
            prop_assert!(back.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
            prop_assert_eq!(views[1].to_strings().unwrap(), texts);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), rows in -2i64..6) {
            let bytes = Bytes::from(bytes);
            for datatype in ["BYTES", "FP32", "BOOL", "INT8"] {
                if let Ok(view) = TensorView::new("x", datatype, &[rows], Data::Raw(&bytes)) {
                    let _ = (view.to_f64(), view.to_strings(), view.to_f32());
                }
            }
        }
    }
}
