//! One inference, from the request to the answer: no waiting, no I/O.

use counterweight_model::{Batch, Scores};
use counterweight_proto::inference::{ModelInferRequest, ModelInferResponse};

use crate::{
    ModelServerError,
    served::Served,
    wire::{self, Decoded, Output},
};

/// Scores a request with a version.
pub(crate) fn infer(
    served: &Served,
    request: &ModelInferRequest,
) -> Result<ModelInferResponse, ModelServerError> {
    wire::refuse_foreign(request)?;
    let outputs = wire::requested(&request.outputs)?;
    let Decoded {
        rows,
        columns,
        lossy,
    } = wire::decode(served, request)?;
    let batch =
        Batch::new(served.model.schema(), rows, columns).map_err(ModelServerError::Batch)?;
    let scores = served
        .model
        .score(&batch)
        .map_err(|error| failed(served, &error.to_string()))?;
    let answer = answer(served, request, &outputs, &batch, &scores)?;
    served.metrics.rows.inc_by(rows as u64);
    served.metrics.lossy.inc_by(lossy);
    Ok(answer)
}

fn answer(
    served: &Served,
    request: &ModelInferRequest,
    outputs: &[Output],
    batch: &Batch<'_>,
    scores: &Scores,
) -> Result<ModelInferResponse, ModelServerError> {
    let mut response = ModelInferResponse {
        model_name: served.name.clone(),
        model_version: served.version.clone(),
        id: request.id.clone(),
        parameters: served.parameters(),
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
                contributions = served
                    .model
                    .contributions(batch)
                    .map_err(|error| failed(served, &error.to_string()))?;
                (
                    vec![rows, dimension(contributions.features)],
                    &contributions.values,
                )
            }
        };
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(failed(
                served,
                &format!("{} {at} is {}", output.name(), values[at]),
            ));
        }
        wire::push_output(&mut response, output, shape, values, raw);
    }
    Ok(response)
}

fn dimension(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn failed(served: &Served, problem: &str) -> ModelServerError {
    ModelServerError::Score {
        model: served.name.clone(),
        version: served.version.clone(),
        problem: problem.to_owned(),
    }
}

/// Roughly how long a request keeps a processor busy, in nanoseconds.
pub(crate) fn estimated_nanoseconds(request: &ModelInferRequest) -> usize {
    /// A byte of text takes part in about five n-grams, each of which is looked up.
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
