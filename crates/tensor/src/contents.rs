//! Decodes and encodes the elements of raw and typed contents.

use std::borrow::Cow;

use bytes::Bytes;
use counterweight_proto::inference::InferTensorContents;

use crate::datatype::Datatype;
use crate::encode::{encode_bool, encode_f32, encode_f64, encode_i64, encode_strings};

/// Contents without an element, for a tensor without contents.
pub(crate) fn empty_contents() -> &'static InferTensorContents {
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

/// Decodes every chunk of `N` bytes; a shorter rest is ignored.
pub(crate) fn decode_all<const N: usize, T>(raw: &[u8], decode: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>()
        .0
        .iter()
        .map(|&chunk| decode(chunk))
        .collect()
}

/// The decimal text of every number.
pub(crate) fn to_decimal<'a, T: ToString>(values: &[T]) -> Vec<Cow<'a, str>> {
    values
        .iter()
        .map(|value| Cow::Owned(value.to_string()))
        .collect()
}

/// An iterator over the elements of raw BYTES contents. An element that runs past the end is an
/// `Err`, which is the last item.
pub(crate) struct Elements<'a>(pub(crate) &'a [u8]);

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

/// Encodes typed contents as raw contents.
pub(crate) fn encode_typed(datatype: Datatype, typed: &InferTensorContents) -> Bytes {
    // Integers of 8 and 16 bits are in 32-bit fields, and their low bytes are the value.
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
