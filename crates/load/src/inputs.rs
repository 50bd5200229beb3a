//! Generates random tensors from their descriptions, so that any server can be loaded without data.

use bytes::Bytes;
use counterweight_proto::inference::{
    InferParameter, InferTensorContents, infer_parameter::ParameterChoice,
    model_infer_request::InferInputTensor,
};
use counterweight_tensor::{Datatype, encode_strings};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use crate::{Contents, LoadError, TensorSpec};

/// The tensors of one request, with raw contents, or with typed contents and an empty `raw`.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// The tensors.
    pub(crate) tensors: Vec<InferInputTensor>,
    /// The raw contents of the tensors, in the same order.
    pub(crate) raw: Vec<Bytes>,
}

/// Fills every tensor with values drawn from `rng`. Numbers are in [0, 1), so that they are also
/// valid probabilities.
pub(crate) fn fill(
    specs: &[TensorSpec],
    rows: usize,
    contents: Contents,
    rng: &mut ChaCha8Rng,
) -> Result<Inputs, LoadError> {
    let mut inputs = Inputs {
        tensors: Vec::with_capacity(specs.len()),
        raw: Vec::new(),
    };
    for spec in specs {
        let shape = sent_shape(spec, rows)?;
        let datatype = datatype_of(spec)?;
        let elements = shape.iter().product();
        let values = draw(spec, datatype, elements, rng);
        let mut tensor = InferInputTensor {
            name: spec.name.clone(),
            datatype: spec.datatype.clone(),
            shape: shape
                .iter()
                .map(|&length| i64::try_from(length).unwrap_or(i64::MAX))
                .collect(),
            ..InferInputTensor::default()
        };
        for (key, value) in &spec.parameters {
            let choice = ParameterChoice::StringParam(value.clone());
            let parameter = InferParameter {
                parameter_choice: Some(choice),
            };
            tensor.parameters.insert(key.clone(), parameter);
        }
        match contents {
            Contents::Raw => inputs.raw.push(values.raw(datatype)),
            Contents::Typed => tensor.contents = Some(values.typed(datatype)),
        }
        inputs.tensors.push(tensor);
    }
    Ok(inputs)
}

/// The shape in the request: −1 becomes the number of rows, and a context tensor has one row.
fn sent_shape(spec: &TensorSpec, rows: usize) -> Result<Vec<usize>, LoadError> {
    let refuse = |reason: String| LoadError::Tensor {
        tensor: spec.name.clone(),
        reason,
    };
    if spec.shape.is_empty() {
        return Err(refuse(
            "its shape is empty; give [rows] or [rows, d]".into(),
        ));
    }
    let rows = if spec.side == "context" { 1 } else { rows };
    spec.shape
        .iter()
        .enumerate()
        .map(|(axis, &length)| match usize::try_from(length) {
            Ok(length) if length > 0 => Ok(length),
            _ if length == -1 && axis == 0 => Ok(rows),
            _ => Err(refuse(format!(
                "dimension {axis} of shape {:?} is not known; name the input with its shape",
                spec.shape
            ))),
        })
        .collect()
}

fn datatype_of(spec: &TensorSpec) -> Result<Datatype, LoadError> {
    Datatype::parse(&spec.datatype).ok_or_else(|| LoadError::Tensor {
        tensor: spec.name.clone(),
        reason: format!(
            "datatype {:?} is not supported; use BOOL, UINT8 to UINT64, INT8 to INT64, FP32, FP64 \
             or BYTES",
            spec.datatype
        ),
    })
}

/// Values of one tensor before they are encoded as raw or typed contents.
enum Values {
    Integers(Vec<u8>), // 0 to 99, or 0 and 1 for BOOL, which fit every integer datatype
    Floats(Vec<f32>),
    Strings(Vec<String>),
}

fn draw(spec: &TensorSpec, datatype: Datatype, elements: usize, rng: &mut ChaCha8Rng) -> Values {
    match datatype {
        Datatype::Bytes => Values::Strings((0..elements).map(|_| string(spec, rng)).collect()),
        Datatype::Fp32 | Datatype::Fp64 => {
            Values::Floats((0..elements).map(|_| rng.random()).collect())
        }
        Datatype::Bool => Values::Integers((0..elements).map(|_| rng.random_range(0..2)).collect()),
        _ => Values::Integers((0..elements).map(|_| rng.random_range(0..100)).collect()),
    }
}

const WORDS: [&str; 16] = [
    "the", "new", "people", "video", "how", "what", "you", "best", "this", "music", "live",
    "official", "share", "comment", "never", "world",
];

fn string(spec: &TensorSpec, rng: &mut ChaCha8Rng) -> String {
    match spec.kind.as_str() {
        "categorical" => format!("c{}", rng.random_range(0..50)),
        "list" => {
            let items: Vec<String> = (0..rng.random_range(0..4))
                .map(|_| format!("\"c{}\"", rng.random_range(0..50)))
                .collect();
            format!("[{}]", items.join(","))
        }
        _ if !spec.texts.is_empty() => spec.texts[rng.random_range(0..spec.texts.len())].clone(),
        _ => {
            let words: Vec<&str> = (0..rng.random_range(4..12))
                .map(|_| WORDS[rng.random_range(0..WORDS.len())])
                .collect();
            words.join(" ")
        }
    }
}

impl Values {
    fn raw(&self, datatype: Datatype) -> Bytes {
        match self {
            Self::Strings(values) => encode_strings(values),
            Self::Floats(values) if datatype == Datatype::Fp64 => values
                .iter()
                .flat_map(|&value| f64::from(value).to_le_bytes())
                .collect(),
            Self::Floats(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Integers(values) => {
                let size = datatype.size().unwrap_or(1);
                let mut bytes = vec![0; values.len() * size];
                for (element, &value) in bytes.chunks_exact_mut(size).zip(values) {
                    element[0] = value; // little endian
                }
                bytes.into()
            }
        }
    }

    fn typed(&self, datatype: Datatype) -> InferTensorContents {
        let mut contents = InferTensorContents::default();
        match self {
            Self::Strings(values) => {
                contents.bytes_contents = values.iter().cloned().map(Bytes::from).collect();
            }
            Self::Floats(values) if datatype == Datatype::Fp64 => {
                contents.fp64_contents = values.iter().map(|&v| v.into()).collect();
            }
            Self::Floats(values) => contents.fp32_contents.clone_from(values),
            Self::Integers(values) => {
                let values = values.iter();
                match datatype {
                    Datatype::Bool => contents.bool_contents = values.map(|&v| v == 1).collect(),
                    Datatype::Int64 => {
                        contents.int64_contents = values.map(|&v| v.into()).collect();
                    }
                    Datatype::Uint64 => {
                        contents.uint64_contents = values.map(|&v| v.into()).collect();
                    }
                    Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => {
                        contents.uint_contents = values.map(|&v| v.into()).collect();
                    }
                    _ => contents.int_contents = values.map(|&v| v.into()).collect(),
                }
            }
        }
        contents
    }
}

#[cfg(test)]
mod tests {
    use counterweight_tensor::views;
    use rand::SeedableRng as _;

    use super::*;

    fn spec(name: &str, datatype: &str, shape: &[i64], kind: &str, side: &str) -> TensorSpec {
        TensorSpec {
            name: name.into(),
            datatype: datatype.into(),
            shape: shape.to_vec(),
            kind: kind.into(),
            side: side.into(),
            ..TensorSpec::default()
        }
    }

    /// Every datatype in both encodings passes the checks of our servers, with the described
    /// shapes.
    #[test]
    fn inputs_have_the_described_shapes_in_raw_and_typed_contents() {
        let mut specs: Vec<TensorSpec> = [
            "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
            "FP32", "FP64", "BYTES",
        ]
        .iter()
        .map(|datatype| spec(datatype, datatype, &[-1], "", ""))
        .collect();
        specs.push(spec("column", "FP64", &[-1, 1], "numeric", "candidate"));
        specs.push(spec("embedding", "FP32", &[-1, 8], "vector", "context"));
        specs.push(spec("tags", "BYTES", &[-1], "list", "candidate"));
        specs.push(spec("fixed", "FP32", &[3, 2], "", ""));
        specs.push(TensorSpec {
            texts: vec!["given".to_owned()],
            ..spec("text", "BYTES", &[-1], "text", "candidate")
        });
        for contents in [Contents::Raw, Contents::Typed] {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let inputs = fill(&specs, 5, contents, &mut rng).unwrap();
            let views = views(&inputs.tensors, &inputs.raw).unwrap();
            let shapes: Vec<(usize, usize)> =
                views.iter().map(|view| (view.rows, view.width)).collect();
            assert_eq!(shapes[..12], [(5, 1); 12]);
            assert_eq!(shapes[12..], [(5, 1), (1, 8), (5, 1), (3, 2), (5, 1)]);
            assert_eq!(views[16].to_strings().unwrap(), ["given"; 5]);
            let probability = views[12].to_f64().unwrap();
            assert!(probability.iter().all(|p| (0.0..1.0).contains(p)));
            assert!(probability.iter().any(|p| *p != probability[0]));
            for list in views[14].to_strings().unwrap() {
                serde_json::from_str::<Vec<String>>(&list).unwrap();
            }
        }
    }

    #[test]
    fn raw_and_typed_contents_of_one_seed_are_the_same_numbers() {
        let specs = [
            spec("x", "FP32", &[-1, 4], "", ""),
            spec("i", "INT64", &[-1], "", ""),
        ];
        let [raw, typed] = [Contents::Raw, Contents::Typed].map(|contents| {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let inputs = fill(&specs, 6, contents, &mut rng).unwrap();
            let views = views(&inputs.tensors, &inputs.raw).unwrap();
            (views[0].to_f64().unwrap(), views[1].to_f64().unwrap())
        });
        assert_eq!(raw, typed);
    }

    #[test]
    fn a_tensor_that_cannot_be_filled_is_named() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for (bad, word) in [
            (spec("x", "FP16", &[-1], "", ""), "FP16"),
            (spec("x", "FP32", &[-1, -1], "", ""), "dimension 1"),
            (spec("x", "FP32", &[], "", ""), "empty"),
            (spec("x", "FP32", &[0], "", ""), "dimension 0"),
        ] {
            let error = fill(&[bad], 5, Contents::Raw, &mut rng)
                .unwrap_err()
                .to_string();
            assert!(error.contains("\"x\"") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn parameters_are_sent() {
        let mut packed = TensorSpec::packed("predict", "FP32", 32);
        packed.parameters = vec![("content_type".into(), "np".into())];
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let inputs = fill(&[packed], 100, Contents::Raw, &mut rng).unwrap();
        assert_eq!(inputs.tensors[0].shape, [100, 32]);
        assert_eq!(inputs.raw[0].len(), 100 * 32 * 4);
        let parameter = inputs.tensors[0].parameters["content_type"].clone();
        assert_eq!(
            parameter.parameter_choice,
            Some(ParameterChoice::StringParam("np".into()))
        );
    }
}
