//! One inference, from the request to the answer. It does not block and does no I/O.

use std::time::Instant;

use counterweight_model::{Batch, ModelError, Scores};
use counterweight_proto::inference::{ModelInferRequest, ModelInferResponse};

use crate::{
    ModelServerError,
    loaded::LoadedVersion,
    statistics::Steps,
    wire::{self, Decoded, Output},
};

/// The limits of one inference.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'a> {
    /// The largest answer, in bytes.
    pub(crate) max_message_bytes: usize,
    /// Returns true once the caller no longer waits for the answer.
    pub(crate) stop: &'a dyn Fn() -> bool,
}

impl Bounds<'_> {
    /// How many bytes of memory the rows of one request may take while they are scored: a small
    /// multiple of the largest message.
    fn most_bytes(&self) -> usize {
        self.max_message_bytes.saturating_mul(4)
    }
}

/// Scores a request with a version, and measures how long each step takes.
///
/// The time grows with the size of the request. `bounds.stop` is checked between columns, between
/// features and between texts.
pub(crate) fn infer(
    loaded: &LoadedVersion,
    request: &ModelInferRequest,
    bounds: Bounds<'_>,
) -> Result<(ModelInferResponse, Steps), ModelServerError> {
    let began = Instant::now();
    wire::refuse_external_tensors(request)?;
    let outputs = wire::requested_outputs(&request.outputs)?;
    let Decoded {
        rows,
        columns,
        lossy,
    } = wire::decode(loaded, request, bounds.most_bytes(), bounds.stop)?;
    let batch =
        Batch::new(loaded.model.schema(), rows, columns).map_err(ModelServerError::Batch)?;
    let decoded = Instant::now();
    let scores = loaded
        .model
        .score_until(&batch, bounds.stop)
        .map_err(|error| failed(loaded, error))?;
    let scored = Instant::now();
    let scored_batch = Scored {
        batch: &batch,
        scores: &scores,
    };
    let answer = answer(loaded, request, &outputs, &scored_batch, bounds)?;
    loaded.metrics.rows.inc_by(rows as u64);
    loaded.metrics.lossy.inc_by(lossy);
    let steps = Steps {
        input: decoded - began,
        score: scored - decoded,
        output: scored.elapsed(),
    };
    Ok((answer, steps))
}

/// A batch with its scores.
struct Scored<'a> {
    batch: &'a Batch<'a>,
    scores: &'a Scores,
}

fn answer(
    loaded: &LoadedVersion,
    request: &ModelInferRequest,
    outputs: &[Output],
    &Scored { batch, scores }: &Scored<'_>,
    bounds: Bounds<'_>,
) -> Result<ModelInferResponse, ModelServerError> {
    let mut response = ModelInferResponse {
        model_name: loaded.name.clone(),
        model_version: loaded.version.clone(),
        id: request.id.clone(),
        parameters: loaded.parameters(),
        ..ModelInferResponse::default()
    };
    let raw = !request.raw_input_contents.is_empty();
    let rows = dimension(batch.rows());
    for &output in outputs {
        let contributions;
        let (shape, values) = match output {
            Output::Probability => (vec![rows], &scores.probabilities),
            Output::Logit => (vec![rows], &scores.logits),
            Output::Contributions => {
                check_contributions(loaded, batch.rows(), bounds.max_message_bytes)?;
                contributions = loaded
                    .model
                    .contributions_until(batch, bounds.stop)
                    .map_err(|error| failed(loaded, error))?;
                (
                    vec![rows, dimension(contributions.features)],
                    &contributions.values,
                )
            }
        };
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let problem = format!("{} {index} is {}", output.name(), values[index]);
            return Err(broken(loaded, problem));
        }
        wire::push_output(&mut response, output, shape, values, raw);
    }
    Ok(response)
}

fn dimension(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Rejects contributions that would not fit into an answer, before they are computed. There is one
/// for each row and feature.
fn check_contributions(
    loaded: &LoadedVersion,
    rows: usize,
    max_message_bytes: usize,
) -> Result<(), ModelServerError> {
    let features = loaded.model.schema().features().len();
    let bytes = rows
        .saturating_mul(features)
        .saturating_mul(size_of::<f32>());
    match bytes <= max_message_bytes {
        true => Ok(()),
        false => Err(ModelServerError::AnswerTooLarge {
            rows,
            features,
            most: max_message_bytes,
        }),
    }
}

fn failed(loaded: &LoadedVersion, error: ModelError) -> ModelServerError {
    match error {
        ModelError::Stopped => ModelServerError::DeadlineExceeded,
        error => broken(loaded, error.to_string()),
    }
}

fn broken(loaded: &LoadedVersion, problem: String) -> ModelServerError {
    ModelServerError::Score {
        model: loaded.name.clone(),
        version: loaded.version.clone(),
        problem,
    }
}

/// Estimates the processor time of a request, in nanoseconds, from the bytes of its tensors.
pub(crate) fn estimated_nanoseconds(request: &ModelInferRequest) -> usize {
    /// Text is slow: a byte is part of about five n-grams, and each of them is looked up.
    const PER_TEXT_BYTE: usize = 100;
    const PER_BYTE: usize = 4;
    request
        .inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let raw = request
                .raw_input_contents
                .get(index)
                .map_or(0, |raw| raw.len());
            let typed = input.contents.as_ref().map_or(0, |typed| {
                typed
                    .bytes_contents
                    .iter()
                    .map(|text| text.len() + 4)
                    .sum::<usize>()
                    + 4 * (typed.fp32_contents.len()
                        + typed.int_contents.len()
                        + typed.uint_contents.len())
                    + 8 * (typed.fp64_contents.len()
                        + typed.int64_contents.len()
                        + typed.uint64_contents.len())
                    + typed.bool_contents.len()
            });
            let each = if input.datatype == "BYTES" {
                PER_TEXT_BYTE
            } else {
                PER_BYTE
            };
            (raw + typed).saturating_mul(each)
        })
        .fold(0, usize::saturating_add)
}
