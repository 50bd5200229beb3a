//! Builds the request to a model: the received bytes, or the form that a foreign server needs.

use bytes::Bytes;
use counterweight_proto::inference::{
    ModelInferRequest,
    model_infer_request::{InferInputTensor, InferRequestedOutputTensor},
};
use counterweight_tensor::{Data, Datatype, TensorView, encode_f32, encode_f64, tensor};

use super::inputs::{Inputs, Side};
use crate::{
    batch::Batch,
    config::{ModelSource, Packed},
    error::RequestError,
};

/// The request to one model.
pub(super) fn request(
    objective: &str,
    config: &ModelSource,
    version: &str,
    inputs: &Inputs,
    batch: &Batch<'_>,
) -> Result<ModelInferRequest, RequestError> {
    let (tensors, raw) = match &config.packed {
        Some(packed) => self::packed(objective, packed, batch)?,
        None => forwarded(objective, config.expand_context, inputs, batch)?,
    };
    Ok(ModelInferRequest {
        model_name: config.name.clone(),
        model_version: version.to_owned(),
        inputs: tensors,
        outputs: vec![InferRequestedOutputTensor {
            name: config.output.clone(),
            ..Default::default()
        }],
        raw_input_contents: raw,
        ..Default::default()
    })
}

type Tensors = (Vec<InferInputTensor>, Vec<Bytes>);

/// One tensor per feature that the model accepts. Raw bytes are shared with the request, not
/// copied.
fn forwarded(
    objective: &str,
    expand: bool,
    inputs: &Inputs,
    batch: &Batch<'_>,
) -> Result<Tensors, RequestError> {
    let typed = batch
        .tensors
        .iter()
        .all(|(view, _)| matches!(view.data, Data::Typed(_)));
    let mut required = 0;
    let mut tensors = Vec::with_capacity(batch.tensors.len());
    let mut raw = Vec::with_capacity(batch.tensors.len());
    for (view, wire) in &batch.tensors {
        if !inputs.accepts(view.name) {
            continue;
        }
        let input = inputs.get(view.name);
        required += usize::from(input.is_some_and(|input| input.optional == Some(false)));
        let side = input.and_then(|input| input.side);
        let repeat = expand && view.rows != batch.candidates;
        if side != Some(Side::Context) && !repeat {
            batch.check_per_candidate(view, why(side))?;
        }
        if repeat {
            tensors.push(InferInputTensor {
                contents: None,
                ..repeated_header(view, wire, batch.candidates)
            });
            raw.push(view.repeated(batch.candidates));
        } else if typed && !expand {
            tensors.push(InferInputTensor::clone(wire));
        } else {
            tensors.push(InferInputTensor {
                contents: None,
                ..header(wire)
            });
            raw.push(view.raw_bytes());
        }
    }
    if required < inputs.required {
        let missing = inputs
            .list
            .iter()
            .find(|input| input.optional == Some(false) && batch.get(&input.name).is_none());
        return Err(RequestError::MissingFeature {
            objective: objective.to_owned(),
            feature: missing.map(|input| input.name.clone()).unwrap_or_default(),
        });
    }
    Ok((tensors, raw))
}

fn why(side: Option<Side>) -> &'static str {
    match side {
        Some(_) => "it is a feature of the candidate",
        None => {
            "its model does not declare context features; set `expand_context` in the configuration to repeat it per candidate"
        }
    }
}

fn header(wire: &InferInputTensor) -> InferInputTensor {
    InferInputTensor {
        name: wire.name.clone(),
        datatype: wire.datatype.clone(),
        shape: wire.shape.clone(),
        parameters: wire.parameters.clone(),
        contents: None,
    }
}

fn repeated_header(
    view: &TensorView<'_>,
    wire: &InferInputTensor,
    rows: usize,
) -> InferInputTensor {
    let shape = if wire.shape.len() > 1 {
        &[rows, view.width][..]
    } else {
        &[rows][..]
    };
    tensor(view.name, view.datatype, shape)
}

/// One tensor of shape [n, d] with the packed features as columns, a feature of one row repeated.
///
/// It is FP32 where every feature is, else FP64, so that nothing is rounded.
fn packed(objective: &str, packed: &Packed, batch: &Batch<'_>) -> Result<Tensors, RequestError> {
    let columns = packed
        .features
        .iter()
        .map(|feature| {
            let view = batch
                .get(feature)
                .ok_or_else(|| RequestError::MissingFeature {
                    objective: objective.to_owned(),
                    feature: feature.clone(),
                })?;
            let values = view.to_f64().map_err(|_| RequestError::WrongFeature {
                objective: objective.to_owned(),
                feature: feature.clone(),
                problem: format!(
                    "is {}, but it is packed with numbers; send FP32, FP64, INT64 or BOOL",
                    view.datatype.as_str()
                ),
            })?;
            Ok((view, values))
        })
        .collect::<Result<Vec<_>, RequestError>>()?;
    let width: usize = columns.iter().map(|(view, _)| view.width).sum();
    let mut values = Vec::with_capacity(batch.candidates.saturating_mul(width));
    for row in 0..batch.candidates {
        for (view, column) in &columns {
            let start = if view.rows == 1 { 0 } else { row * view.width };
            values.extend_from_slice(&column[start..start + view.width]);
        }
    }
    let single = columns
        .iter()
        .all(|(view, _)| view.datatype == Datatype::Fp32);
    let (datatype, bytes) = if single {
        (
            Datatype::Fp32,
            encode_f32(&values.iter().map(|&value| value as f32).collect::<Vec<_>>()),
        )
    } else {
        (Datatype::Fp64, encode_f64(&values))
    };
    Ok((
        vec![tensor(&packed.input, datatype, &[batch.candidates, width])],
        vec![bytes],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_interleaves_columns_and_repeats_the_context() {
        let inputs = [
            tensor("v", Datatype::Fp32, &[2, 2]),
            tensor("c", Datatype::Fp32, &[1]),
            tensor("a", Datatype::Fp32, &[2]),
        ];
        let raw = [
            encode_f32(&[1.0, 2.0, 3.0, 4.0]),
            encode_f32(&[9.0]),
            encode_f32(&[5.0, 6.0]),
        ];
        let ids = ["x".to_owned(), "y".to_owned()];
        let batch = Batch::check(&ids, &inputs, &raw).unwrap();
        let spec = Packed {
            input: "in".into(),
            features: vec!["a".into(), "v".into(), "c".into()],
        };
        let (tensors, raw) = packed("bait", &spec, &batch).unwrap();
        assert_eq!(
            (tensors[0].name.as_str(), tensors[0].datatype.as_str()),
            ("in", "FP32")
        );
        assert_eq!(tensors[0].shape, [2, 4]);
        assert_eq!(
            raw[0],
            encode_f32(&[5.0, 1.0, 2.0, 9.0, 6.0, 3.0, 4.0, 9.0])
        );
        let missing = Packed {
            features: vec!["zz".into()],
            ..spec
        };
        let error = packed("bait", &missing, &batch).unwrap_err().to_string();
        assert!(error.contains("\"bait\" needs feature \"zz\""), "{error}");
    }

    #[test]
    fn packing_mixed_numbers_is_in_doubles_and_text_is_refused() {
        let inputs = [
            tensor("a", Datatype::Fp32, &[1]),
            tensor("b", Datatype::Int64, &[1]),
            tensor("t", Datatype::Bytes, &[1]),
        ];
        let raw = [
            encode_f32(&[0.5]),
            counterweight_tensor::encode_i64(&[1 << 40]),
            counterweight_tensor::encode_strings(["hello"]),
        ];
        let ids = ["x".to_owned()];
        let batch = Batch::check(&ids, &inputs, &raw).unwrap();
        let spec = |features: &[&str]| Packed {
            input: "in".into(),
            features: features.iter().map(|&f| f.into()).collect(),
        };
        let (tensors, bytes) = packed("bait", &spec(&["a", "b"]), &batch).unwrap();
        assert_eq!(tensors[0].datatype, "FP64");
        assert_eq!(bytes[0], encode_f64(&[0.5, (1_u64 << 40) as f64]));
        let error = packed("bait", &spec(&["t"]), &batch)
            .unwrap_err()
            .to_string();
        assert!(error.contains("\"t\" is BYTES"), "{error}");
    }
}
