//! Requests to the servers of a [`Target`](crate::Target).

use bytes::Bytes;
use counterweight_proto::{
    counterweight::v1::{
        Cause, ObjectiveWeight, PreviewWeightsRequest, ProfileChange, ProfileRevision, RankRequest,
        SetWeightsRequest, StartRampRequest,
    },
    inference::{ModelInferRequest, model_infer_request::InferInputTensor},
};
use counterweight_tensor::{Datatype, encode_f64, encode_strings, tensor};

/// The profile that is ranked by probabilities in the request.
pub const COLUMNS: &str = "default";
/// The profile that is ranked by the model.
pub const MODELS: &str = "models";
/// The profile whose model takes one packed tensor.
pub const PACKED: &str = "packed";
/// The profile whose model takes context features once per candidate.
pub const EXPANDED: &str = "expanded";
/// The model of the model server.
pub const MODEL: &str = "model";

/// Probabilities that differ from candidate to candidate.
#[must_use]
pub fn probabilities(candidates: usize, offset: usize) -> Vec<f64> {
    let values = 0..candidates;
    values
        .map(|at| ((at * 7919 + offset * 104_729) % 10_007) as f64 / 10_007.0)
        .collect()
}

fn ids(candidates: usize) -> Vec<String> {
    (0..candidates).map(|at| format!("c{at:06}")).collect()
}

/// A request to rank by two probability columns.
#[must_use]
pub fn rank_columns(candidates: usize) -> RankRequest {
    RankRequest {
        profile: COLUMNS.to_owned(),
        candidate_ids: ids(candidates),
        inputs: vec![
            tensor("p_click", Datatype::Fp64, &[candidates]),
            tensor("p_bait", Datatype::Fp64, &[candidates]),
        ],
        raw_input_contents: vec![
            encode_f64(&probabilities(candidates, 1)),
            encode_f64(&probabilities(candidates, 2)),
        ],
        ..RankRequest::default()
    }
}

/// A request to rank by the model.
#[must_use]
pub fn rank_models(candidates: usize) -> RankRequest {
    let (inputs, raw_input_contents) = features(candidates, &["sport", "music"]);
    RankRequest {
        profile: MODELS.to_owned(),
        candidate_ids: ids(candidates),
        inputs,
        raw_input_contents,
        ..RankRequest::default()
    }
}

/// A request to the model itself, whose list of topics holds these.
#[must_use]
pub fn infer<S: AsRef<str>>(candidates: usize, topics: &[S]) -> ModelInferRequest {
    let (inputs, raw_input_contents) = features(candidates, topics);
    ModelInferRequest {
        model_name: MODEL.to_owned(),
        inputs,
        raw_input_contents,
        ..ModelInferRequest::default()
    }
}

/// The tensors that the model accepts.
fn features<S: AsRef<str>>(candidates: usize, topics: &[S]) -> (Vec<InferInputTensor>, Vec<Bytes>) {
    let quoted: Vec<String> = topics
        .iter()
        .map(|topic| format!("\"{}\"", topic.as_ref()))
        .collect();
    let list = format!("[{}]", quoted.join(","));
    let own = ["music", "news", "sport"];
    let inputs = vec![
        tensor("quality", Datatype::Fp64, &[candidates]),
        tensor("topic", Datatype::Bytes, &[candidates]),
        tensor("topics", Datatype::Bytes, &[1]),
    ];
    let raw = vec![
        encode_f64(&probabilities(candidates, 3)),
        encode_strings((0..candidates).map(|at| own[at % own.len()])),
        encode_strings([list]),
    ];
    (inputs, raw)
}

/// Other weights for the profile of columns.
#[must_use]
pub fn change(bait: f64) -> ProfileChange {
    ProfileChange {
        profile: COLUMNS.to_owned(),
        weights: vec![ObjectiveWeight {
            objective: "engagement_bait".to_owned(),
            weight: bait,
        }],
        ..ProfileChange::default()
    }
}

/// A call that changes the weights at any revision and within any bounds.
#[must_use]
pub fn set(change: ProfileChange) -> SetWeightsRequest {
    SetWeightsRequest {
        changes: vec![change],
        cause: cause(),
        force: true,
    }
}

/// A ramp of so many steps, which are to take so many seconds.
#[must_use]
pub fn ramp(seconds: i64, steps: u32) -> StartRampRequest {
    StartRampRequest {
        profile: Some(ProfileRevision {
            profile: COLUMNS.to_owned(),
            expected_revision: None,
        }),
        target: change(-3.0).weights,
        duration: Some(prost_types::Duration { seconds, nanos: 0 }),
        steps,
        cause: cause(),
        force: true,
    }
}

/// What another weight would do.
#[must_use]
pub fn preview(bait: f64) -> PreviewWeightsRequest {
    PreviewWeightsRequest {
        change: Some(change(bait)),
        k: 10,
    }
}

fn cause() -> Option<Cause> {
    Some(Cause {
        author: "tests".to_owned(),
        reason: "a test".to_owned(),
        ..Cause::default()
    })
}
