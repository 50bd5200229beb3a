//! Encodes raw contents: little endian, row major, one block of bytes per tensor.

use bytes::{BufMut, Bytes, BytesMut};
use counterweight_proto::inference::model_infer_request::InferInputTensor;

use crate::datatype::Datatype;

/// An input tensor without typed contents; its contents belong in `raw_input_contents`.
pub fn tensor(name: &str, datatype: Datatype, shape: &[usize]) -> InferInputTensor {
    InferInputTensor {
        name: name.to_owned(),
        datatype: datatype.as_str().to_owned(),
        shape: shape
            .iter()
            .map(|&side| i64::try_from(side).unwrap_or(i64::MAX))
            .collect(),
        ..InferInputTensor::default()
    }
}

/// Raw contents of an FP64 tensor.
pub fn encode_f64(values: &[f64]) -> Bytes {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Raw contents of an FP32 tensor.
pub fn encode_f32(values: &[f32]) -> Bytes {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Raw contents of an INT64 tensor.
pub fn encode_i64(values: &[i64]) -> Bytes {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Raw contents of a BOOL tensor.
pub fn encode_bool(values: &[bool]) -> Bytes {
    values.iter().map(|&value| u8::from(value)).collect()
}

/// Raw contents of a BYTES tensor. An element is cut after `u32::MAX` bytes, which is far above any
/// limit on messages.
pub fn encode_strings<S: AsRef<[u8]>>(values: impl IntoIterator<Item = S>) -> Bytes {
    let mut out = BytesMut::new();
    for value in values {
        let value = value.as_ref();
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        out.put_u32_le(length);
        out.put_slice(&value[..length as usize]);
    }
    out.freeze()
}
