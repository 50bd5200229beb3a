//! Tensors with arbitrary bytes, shapes and datatypes: the check returns an error, or a view whose
//! contents agree with its shape.
#![allow(clippy::cast_possible_wrap, reason = "shapes of tests are small")]

use bytes::Bytes;
use counterweight_proto::inference::{InferTensorContents, model_infer_request::InferInputTensor};
use counterweight_tensor::{Data, Datatype, TensorView, encode_f64, encode_strings, tensor, views};
use proptest::prelude::*;

const DATATYPES: [&str; 14] = [
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP32",
    "FP64", "BYTES", "FP16", "",
];

/// Shapes that callers may send: with dimensions that fit, that do not fit, and that overflow.
fn shape() -> impl Strategy<Value = Vec<i64>> {
    let side = prop_oneof![8 => -1_i64..9, 1 => Just(i64::MAX), 1 => any::<i64>()];
    prop::collection::vec(side, 0..4)
}

/// Arbitrary bytes, and bytes of a BYTES tensor with one byte changed.
fn raw() -> impl Strategy<Value = Bytes> {
    let texts = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..6);
    let damaged =
        (texts, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(texts, at, byte)| {
            let mut bytes = encode_strings(texts).to_vec();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            Bytes::from(bytes)
        });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..72).prop_map(Bytes::from),
        damaged
    ]
}

fn contents() -> impl Strategy<Value = InferTensorContents> {
    (
        prop::collection::vec(any::<bool>(), 0..4),
        prop::collection::vec(any::<i32>(), 0..4),
        prop::collection::vec(any::<u32>(), 0..4),
        prop::collection::vec(any::<f32>(), 0..4),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..4),
    )
        .prop_map(|(bools, ints, uints, floats, texts)| InferTensorContents {
            bool_contents: bools,
            int_contents: ints,
            uint_contents: uints,
            fp32_contents: floats,
            bytes_contents: texts.into_iter().map(Into::into).collect(),
            ..Default::default()
        })
}

/// Checks that every reading of a view has as many values as the view has elements, and that its
/// raw bytes form a valid view again.
fn check(view: &TensorView<'_>) -> Result<(), TestCaseError> {
    prop_assert!(view.rows > 0 && view.width > 0);
    let elements = view.elements();
    if let Ok(values) = view.to_f64() {
        prop_assert_eq!(values.len(), elements);
    }
    if let Ok(values) = view.to_f32() {
        prop_assert_eq!(values.len(), elements);
    }
    if let Ok(values) = view.to_strings() {
        prop_assert_eq!(values.len(), elements);
    }
    let raw = view.raw_bytes();
    let shape = [view.rows as i64, view.width as i64];
    let again = TensorView::new("x", view.datatype.as_str(), &shape, Data::Raw(&raw));
    prop_assert!(again.is_ok(), "{:?}", again);
    let repeated = view.repeated(2, 2 * raw.len()).map(|bytes| bytes.len());
    prop_assert_eq!(repeated, Ok(2 * raw.len()));
    Ok(())
}

proptest! {
    #[test]
    fn raw_contents(bytes in raw(), shape in shape(), datatype in prop::sample::select(&DATATYPES[..])) {
        if let Ok(view) = TensorView::new("x", datatype, &shape, Data::Raw(&bytes)) {
            check(&view)?;
        }
    }

    #[test]
    fn typed_contents(contents in contents(), shape in shape(), datatype in prop::sample::select(&DATATYPES[..])) {
        if let Ok(view) = TensorView::new("x", datatype, &shape, Data::Typed(&contents)) {
            check(&view)?;
        }
    }

    #[test]
    fn messages(
        tensors in prop::collection::vec(("[ab]", prop::sample::select(&DATATYPES[..]), shape(), prop::option::of(contents())), 0..3),
        raw in prop::collection::vec(raw(), 0..3),
    ) {
        let tensors: Vec<InferInputTensor> = tensors
            .into_iter()
            .map(|(name, datatype, shape, contents)| InferInputTensor {
                name,
                datatype: datatype.to_owned(),
                shape,
                contents,
                ..Default::default()
            })
            .collect();
        if let Ok(views) = views(&tensors, &raw) {
            prop_assert_eq!(views.len(), tensors.len());
            for view in &views {
                check(view)?;
            }
        }
    }

    #[test]
    fn doubles_and_strings_survive(values in prop::collection::vec(any::<f64>(), 1..40), texts in prop::collection::vec(".*", 1..20)) {
        let inputs = [tensor("x", Datatype::Fp64, &[values.len()]), tensor("t", Datatype::Bytes, &[texts.len(), 1])];
        let raw = [encode_f64(&values), encode_strings(&texts)];
        let views = views(&inputs, &raw).unwrap();
        let back = views[0].to_f64().unwrap();
        prop_assert!(back.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
        prop_assert_eq!(views[1].to_strings().unwrap(), texts);
    }
}
