//! Converts tensors to the columns of a model, and scores to tensors.

use std::borrow::Cow;

use bytes::Bytes;
use counterweight_config::did_you_mean;
use counterweight_model::{Column, Input, Kind, Side};
use counterweight_proto::inference::{
    InferTensorContents, ModelInferRequest, ModelInferResponse,
    model_infer_request::InferRequestedOutputTensor, model_infer_response::InferOutputTensor,
};
use counterweight_serving::clip;
use counterweight_tensor::{Datatype, TensorError, TensorView, views};

use crate::{ModelServerError, loaded::LoadedVersion};

/// Names are cut to this length before a similar one is searched and before an error quotes them; a
/// longer name is not a typing mistake.
const MAX_NAME_BYTES: usize = 100;

/// The columns of a request.
pub(crate) struct Decoded<'a> {
    pub(crate) rows: usize,
    /// One per input of the schema.
    pub(crate) columns: Vec<Option<Column<'a>>>,
    /// The number of strings that were not UTF-8.
    pub(crate) lossy: u64,
}

/// A tensor that a model can return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Probability,
    Logit,
    Contributions,
}

impl Output {
    pub(crate) const ALL: [Self; 3] = [Self::Probability, Self::Logit, Self::Contributions];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Probability => "probability",
            Self::Logit => "logit",
            Self::Contributions => "contributions",
        }
    }
}

/// Reads the input tensors of a request. It fails if its rows would take more than `most_bytes` of
/// memory while they are scored, and once `stop` returns true.
pub(crate) fn decode<'a>(
    loaded: &LoadedVersion,
    request: &'a ModelInferRequest,
    most_bytes: usize,
    stop: &dyn Fn() -> bool,
) -> Result<Decoded<'a>, ModelServerError> {
    let inputs = loaded.model.schema().inputs();
    // Names are checked first. Once unknown names are rejected, the search for duplicates ends
    // after at most as many tensors as the model has inputs.
    let index_of = |name: &str| {
        loaded
            .model
            .schema()
            .input_index(name)
            .ok_or_else(|| unknown_input(loaded, name))
    };
    let indices = request
        .inputs
        .iter()
        .map(|tensor| index_of(&tensor.name))
        .collect::<Result<Vec<_>, _>>()?;
    let views = views(&request.inputs, &request.raw_input_contents)?;
    // Serving always uses the served value of an input, so a tensor for it is ignored.
    let matched: Vec<_> = indices
        .into_iter()
        .zip(&views)
        .filter(|(index, _)| inputs[*index].served.is_none())
        .collect();
    let rows = count_rows(inputs, &matched)?;
    let most_rows = most_bytes / loaded.model.encoders().bytes_per_row();
    if rows > most_rows {
        return Err(ModelServerError::TooManyRows { rows, most_rows });
    }
    let mut columns = Vec::new();
    columns.resize_with(inputs.len(), || None);
    let mut lossy = 0;
    for (index, view) in matched {
        if stop() {
            return Err(ModelServerError::DeadlineExceeded);
        }
        columns[index] = Some(column(&inputs[index], view, &mut lossy)?);
    }
    Ok(Decoded {
        rows,
        columns,
        lossy,
    })
}

fn unknown_input(loaded: &LoadedVersion, tensor: &str) -> ModelServerError {
    let tensor = clip(tensor, MAX_NAME_BYTES);
    let known = loaded
        .model
        .schema()
        .inputs()
        .iter()
        .map(|input| input.name.as_str());
    ModelServerError::UnknownInput {
        model: loaded.name.clone(),
        suggestion: did_you_mean(&tensor, known),
        tensor,
    }
}

/// Counts the candidates: the rows of the first candidate tensor, or else of the longest context
/// tensor.
fn count_rows(
    inputs: &[Input],
    tensors: &[(usize, &TensorView<'_>)],
) -> Result<usize, ModelServerError> {
    let is_context = |index: usize| inputs[index].side == Side::Context;
    let first = tensors
        .iter()
        .find(|(index, _)| !is_context(*index))
        .or_else(|| tensors.iter().max_by_key(|(_, view)| view.rows));
    let Some((_, first)) = first else {
        return Err(ModelServerError::NoRows);
    };
    for &(index, view) in tensors {
        if view.rows == first.rows || (is_context(index) && view.rows == 1) {
            continue;
        }
        return Err(ModelServerError::RowCount {
            tensor: view.name.to_owned(),
            found: view.rows,
            other: first.name.to_owned(),
            expected: first.rows,
            advice: if is_context(index) {
                "send a context tensor with one row, or with one per candidate"
            } else {
                "send one row per candidate in every candidate tensor"
            },
        });
    }
    Ok(first.rows)
}

fn column<'a>(
    input: &Input,
    view: &TensorView<'a>,
    lossy: &mut u64,
) -> Result<Column<'a>, ModelServerError> {
    let width = if let Kind::Vector { dim } = input.kind {
        dim
    } else {
        1
    };
    if view.width != width {
        return Err(ModelServerError::Width {
            tensor: view.name.to_owned(),
            found: view.width,
            kind: input.kind.to_string(),
            expected: if width == 1 {
                "[n] or [n, 1]".to_owned()
            } else {
                format!("[n, {width}]")
            },
        });
    }
    Ok(match input.kind {
        Kind::Numeric | Kind::Boolean => Column::Numeric(view.to_f64()?),
        Kind::Vector { dim } => Column::Vector {
            dim,
            values: view.to_f32()?,
        },
        Kind::Categorical if view.datatype != Datatype::Bytes => Column::Text(view.to_strings()?),
        Kind::Categorical | Kind::Text => Column::Text(strings(view, lossy)?),
        Kind::List => Column::List(lists(view, lossy)?),
    })
}

/// The elements of a BYTES tensor. Adds the number of those that are not UTF-8 to `lossy`.
fn strings<'a>(view: &TensorView<'a>, lossy: &mut u64) -> Result<Vec<Cow<'a, str>>, TensorError> {
    if view.datatype != Datatype::Bytes {
        return Err(TensorError::WrongDatatype {
            tensor: view.name.to_owned(),
            datatype: view.datatype.as_str(),
            expected: "BYTES",
        });
    }
    let strings = view.to_strings()?;
    *lossy += strings
        .iter()
        .filter(|text| matches!(text, Cow::Owned(_)))
        .count() as u64;
    Ok(strings)
}

fn lists(view: &TensorView<'_>, lossy: &mut u64) -> Result<Vec<Vec<String>>, ModelServerError> {
    let parse = |(row, text): (usize, &Cow<'_, str>)| {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(text).map_err(|error| ModelServerError::List {
            tensor: view.name.to_owned(),
            row,
            problem: error.to_string(),
        })
    };
    strings(view, lossy)?
        .iter()
        .enumerate()
        .map(parse)
        .collect()
}

/// The outputs that a request names, or `probability` if it names none.
pub(crate) fn requested_outputs(
    outputs: &[InferRequestedOutputTensor],
) -> Result<Vec<Output>, ModelServerError> {
    let mut found = Vec::new();
    for output in outputs {
        let known = Output::ALL
            .into_iter()
            .find(|known| known.name() == output.name)
            .ok_or_else(|| {
                let output = clip(&output.name, MAX_NAME_BYTES);
                let suggestion = did_you_mean(&output, Output::ALL.map(Output::name));
                ModelServerError::UnknownOutput { output, suggestion }
            })?;
        if found.contains(&known) {
            return Err(ModelServerError::DuplicateOutput {
                output: output.name.clone(),
            });
        }
        if let Some(parameter) = output.parameters.keys().find(|key| is_external(key)) {
            return Err(unsupported(parameter));
        }
        found.push(known);
    }
    if found.is_empty() {
        found.push(Output::Probability);
    }
    Ok(found)
}

/// Rejects tensors whose parameters say that their data is not in the message. Without these data
/// the answer would be wrong.
pub(crate) fn refuse_external_tensors(request: &ModelInferRequest) -> Result<(), ModelServerError> {
    let mut parameters = request
        .inputs
        .iter()
        .flat_map(|input| input.parameters.keys());
    parameters
        .find(|key| is_external(key))
        .map_or(Ok(()), |key| Err(unsupported(key)))
}

fn is_external(parameter: &str) -> bool {
    parameter == "classification" || parameter.starts_with("shared_memory_")
}

fn unsupported(parameter: &str) -> ModelServerError {
    ModelServerError::Parameter {
        parameter: clip(parameter, MAX_NAME_BYTES),
        advice: "send and request whole tensors within the message",
    }
}

/// Adds one output to a response, as raw bytes if `raw` is set, and otherwise typed.
pub(crate) fn push_output(
    response: &mut ModelInferResponse,
    output: Output,
    shape: Vec<i64>,
    values: &[f64],
    raw: bool,
) {
    // Outputs are FP32 by contract, so each value is rounded to the nearest one.
    let contents = if raw {
        let mut bytes = Vec::with_capacity(values.len() * size_of::<f32>());
        for &value in values {
            bytes.extend_from_slice(&(value as f32).to_le_bytes());
        }
        response.raw_output_contents.push(Bytes::from(bytes));
        None
    } else {
        let fp32_contents = values.iter().map(|&value| value as f32).collect();
        Some(InferTensorContents {
            fp32_contents,
            ..InferTensorContents::default()
        })
    };
    response.outputs.push(InferOutputTensor {
        name: output.name().to_owned(),
        datatype: Datatype::Fp32.as_str().to_owned(),
        shape,
        contents,
        ..InferOutputTensor::default()
    });
}
