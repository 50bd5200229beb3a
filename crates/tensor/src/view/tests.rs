//! Views over valid and invalid contents, raw and typed.

use super::*;
use crate::{encode_bool, encode_f32, encode_i64, encode_strings, tensor};

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
fn raw_and_typed_contents_of_numeric_datatypes_read_the_same() {
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
fn mixed_duplicate_and_miscounted_contents_are_rejected() {
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
    assert_eq!(view.repeated(2, 12).unwrap(), encode_strings(["ab", "ab"]));
    for rows in [3, usize::MAX] {
        let error = view.repeated(rows, 12).unwrap_err().to_string();
        assert!(
            error.contains("\"t\"") && error.contains("12 bytes"),
            "{error}"
        );
    }
}

#[test]
fn picked_rows_read_as_the_rows_they_were() {
    let texts = encode_strings(["a", "", "ccc", "dd", "e", "f"]);
    let numbers = encode_f32(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let inputs = [
        tensor("text", Datatype::Bytes, &[3, 2]),
        tensor("number", Datatype::Fp32, &[3, 2]),
    ];
    let raw = [texts, numbers];
    let views = views(&inputs, &raw).unwrap();
    assert_eq!(
        views[0].picked_rows(&[2, 0]),
        encode_strings(["e", "f", "a", ""])
    );
    assert_eq!(
        views[1].picked_rows(&[1, 1, 9]),
        encode_f32(&[3.0, 4.0, 3.0, 4.0])
    );
    assert_eq!(views[0].picked_rows(&[7]), Bytes::new());
}
