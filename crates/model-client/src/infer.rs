//! Builds the request to a model: the received bytes, or the form that a foreign server needs.

use bytes::{BufMut as _, Bytes, BytesMut};
use counterweight_proto::inference::{
    ModelInferRequest,
    model_infer_request::{InferInputTensor, InferRequestedOutputTensor},
};
use counterweight_tensor::{Data, Datatype, TensorView, tensor};

use crate::{
    batch::Batch,
    error::InputError,
    inputs::{Inputs, Side},
    source::{ModelSource, Packed},
};

/// What a request is made for.
pub(crate) struct Target<'a> {
    pub(crate) objective: &'a str,
    pub(crate) config: &'a ModelSource,
    /// Empty for the served version.
    pub(crate) version: &'a str,
    /// The largest message, in bytes.
    pub(crate) max_message_bytes: usize,
}

/// The request to one model.
pub(crate) fn request(
    target: &Target<'_>,
    inputs: &Inputs,
    batch: &Batch<'_>,
) -> Result<ModelInferRequest, InputError> {
    let config = target.config;
    let (tensors, raw) = match &config.packed {
        Some(packed) => target.packed(packed, batch)?,
        None => target.forwarded(inputs, batch)?,
    };
    Ok(ModelInferRequest {
        model_name: config.name.clone(),
        model_version: target.version.to_owned(),
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

impl Target<'_> {
    /// One tensor per feature that the model accepts. Raw bytes are shared with the request, not
    /// copied.
    fn forwarded(&self, inputs: &Inputs, batch: &Batch<'_>) -> Result<Tensors, InputError> {
        let expand = self.config.expand_context;
        let typed = batch
            .tensors
            .iter()
            .all(|(view, _)| matches!(view.data, Data::Typed(_)));
        let mut required = 0;
        let mut tensors = Vec::with_capacity(batch.tensors.len());
        let mut raw = Vec::with_capacity(batch.tensors.len());
        // What the repeated tensors may still take together.
        let mut left = self.max_message_bytes;
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
                let rows = batch.candidates;
                let repeated = view
                    .repeated(rows, left)
                    .map_err(|_| view.too_large(rows, self.max_message_bytes))?;
                left -= repeated.len();
                tensors.push(repeated_header(view, wire, rows));
                raw.push(repeated);
            } else if typed && !expand {
                tensors.push(InferInputTensor::clone(wire));
            } else {
                tensors.push(header(wire));
                raw.push(view.raw_bytes());
            }
        }
        if required < inputs.required {
            let missing = inputs
                .list
                .iter()
                .find(|input| input.optional == Some(false) && batch.get(&input.name).is_none());
            return Err(InputError::MissingFeature {
                objective: self.objective.to_owned(),
                feature: missing.map(|input| input.name.clone()).unwrap_or_default(),
            });
        }
        Ok((tensors, raw))
    }

    /// One tensor of shape [n, d] with the packed features as columns, a feature of one row
    /// repeated.
    ///
    /// It is FP32 where every feature is, else FP64, so that nothing is rounded.
    fn packed(&self, packed: &Packed, batch: &Batch<'_>) -> Result<Tensors, InputError> {
        let views = self.packed_views(packed, batch)?;
        let single = views.iter().all(|view| view.datatype == Datatype::Fp32);
        let datatype = if single {
            Datatype::Fp32
        } else {
            Datatype::Fp64
        };
        let rows = batch.candidates;
        let size = if single { 4 } else { 8 };
        // A context feature is sent once and packed for every candidate: a request of a few
        // megabytes could ask for any amount of memory.
        let bytes_of = |width: usize| width.checked_mul(rows)?.checked_mul(size);
        let fits =
            |width: usize| bytes_of(width).is_some_and(|bytes| bytes <= self.max_message_bytes);
        let mut width = 0_usize;
        for view in &views {
            width = width
                .checked_add(view.width)
                .filter(|&width| fits(width))
                .ok_or_else(|| view.too_large(rows, self.max_message_bytes))?;
        }
        let columns = views
            .into_iter()
            .map(|view| Ok((view, view.to_f64()?)))
            .collect::<Result<Vec<_>, InputError>>()?;
        let mut raw = BytesMut::with_capacity(bytes_of(width).unwrap_or_default());
        for row in 0..rows {
            for (view, column) in &columns {
                let start = if view.rows == 1 { 0 } else { row * view.width };
                for &value in &column[start..start + view.width] {
                    match single {
                        true => raw.put_f32_le(value as f32),
                        false => raw.put_f64_le(value),
                    }
                }
            }
        }
        let tensor = tensor(&packed.input, datatype, &[rows, width]);
        Ok((vec![tensor], vec![raw.freeze()]))
    }

    /// The packed features, which are all numbers.
    fn packed_views<'b>(
        &self,
        packed: &Packed,
        batch: &'b Batch<'_>,
    ) -> Result<Vec<&'b TensorView<'b>>, InputError> {
        let objective = || self.objective.to_owned();
        let view = |feature: &String| {
            let view = batch
                .get(feature)
                .ok_or_else(|| InputError::MissingFeature {
                    objective: objective(),
                    feature: feature.clone(),
                })?;
            match view.datatype {
                Datatype::Bytes => Err(InputError::WrongFeature {
                    objective: objective(),
                    feature: feature.clone(),
                    problem: format!(
                        "is {}, and is packed with numbers; send FP32, FP64, INT64 or BOOL",
                        view.datatype.as_str()
                    ),
                }),
                _ => Ok(view),
            }
        };
        packed.features.iter().map(view).collect()
    }
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

#[cfg(test)]
mod tests {
    use counterweight_proto::inference::ModelMetadataResponse;
    use counterweight_tensor::{encode_f32, encode_f64};

    use super::*;

    fn packed(spec: &Packed, batch: &Batch<'_>) -> Result<Tensors, InputError> {
        let config = config();
        target(&config, 1 << 20).packed(spec, batch)
    }

    fn config() -> ModelSource {
        ModelSource {
            endpoints: Vec::new(),
            name: "m".into(),
            version: None,
            output: "probability".into(),
            column: 0,
            timeout: std::time::Duration::from_secs(1),
            packed: None,
            expand_context: true,
        }
    }

    fn target(config: &ModelSource, max_message_bytes: usize) -> Target<'_> {
        Target {
            objective: "bait",
            config,
            version: "",
            max_message_bytes,
        }
    }

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
        let (tensors, raw) = packed(&spec, &batch).unwrap();
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
        let error = packed(&missing, &batch).unwrap_err().to_string();
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
        let (tensors, bytes) = packed(&spec(&["a", "b"]), &batch).unwrap();
        assert_eq!(tensors[0].datatype, "FP64");
        assert_eq!(bytes[0], encode_f64(&[0.5, (1_u64 << 40) as f64]));
        let error = packed(&spec(&["t"]), &batch).unwrap_err().to_string();
        assert!(error.contains("\"t\" is BYTES"), "{error}");
    }

    #[test]
    fn what_repetition_makes_too_large_is_refused_before_it_is_made() {
        let n = 1000;
        let ids: Vec<String> = (0..n).map(|id| id.to_string()).collect();
        let inputs = [
            tensor("wide", Datatype::Fp32, &[1, 1000]),
            tensor("narrow", Datatype::Fp32, &[1]),
        ];
        let raw = [encode_f32(&[0.5; 1000]), encode_f32(&[1.0])];
        let batch = Batch::check(&ids, &inputs, &raw).unwrap();
        let spec = Packed {
            input: "in".into(),
            features: vec!["narrow".into(), "wide".into()],
        };
        let config = config();
        let anything = Inputs::from_metadata(ModelMetadataResponse::default(), &[]);
        let fits = 4 * 1000 * 1001;
        let check = |most, fit: bool| {
            let target = target(&config, most);
            let outcomes = [
                target.packed(&spec, &batch),
                target.forwarded(&anything, &batch),
            ];
            for outcome in outcomes {
                match outcome {
                    Ok((_, raw)) => {
                        assert!(fit);
                        assert_eq!(raw.iter().map(Bytes::len).sum::<usize>(), fits);
                    }
                    Err(error) => {
                        assert!(!fit, "{error}");
                        let text = error.to_string();
                        assert!(text.contains("1000 rows"), "{text}");
                        assert!(text.contains(&format!("{most} bytes")), "{text}");
                    }
                }
            }
        };
        check(fits, true);
        check(fits - 1, false);
        let error = target(&config, fits - 1).packed(&spec, &batch);
        assert!(error.unwrap_err().to_string().contains("\"wide\""));
    }
}
