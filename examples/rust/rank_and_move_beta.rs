//! Ranks the candidates of a file from Rust, changes β, ranks them again, and restores β.
//!
//! Start a system with `counterweight up`, then, in the project's folder:
//!
//! ```sh
//! cargo run -p counterweight-tests --bin rank_and_move_beta -- \
//!     data/sample/candidates.ndjson http://127.0.0.1:7000
//! ```
//!
//! To copy it into your own project, depend on `bytes`, `counterweight-proto`,
//! `counterweight-tensor`, `serde_json`, `tokio` and `tonic`.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::{env, error::Error, fs};

use bytes::Bytes;
use counterweight_proto::{
    counterweight::v1::{
        Cause, DescribeRankingRequest, FeatureDescription, GetWeightsRequest, ObjectiveWeight,
        ProfileChange, RankRequest, SetWeightsRequest,
        ranking_service_client::RankingServiceClient, weights_service_client::WeightsServiceClient,
    },
    inference::model_infer_request::InferInputTensor,
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, encode_strings, tensor};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

/// The objective whose weight is changed.
const BAIT: &str = "engagement_bait";

/// The tensor of one described feature, with one value per row. DescribeRanking reports its kind,
/// which decides the datatype and how a missing value (null) is sent.
fn feature_tensor(feature: &FeatureDescription, values: &[&Value]) -> (InferInputTensor, Bytes) {
    let rows = values.len();
    match feature.kind.as_str() {
        // In a missing vector every element is NaN.
        kind if kind.starts_with("vector") => {
            let length = feature.shape.get(1).map_or(1, |&length| length as usize);
            let element =
                |value: &Value, at: usize| value[at].as_f64().map_or(f32::NAN, |x| x as f32);
            let elements: Vec<f32> = values
                .iter()
                .flat_map(|value| (0..length).map(move |at| element(value, at)))
                .collect();
            let tensor = tensor(&feature.name, Datatype::Fp32, &[rows, length]);
            (tensor, encode_f32(&elements))
        }
        // A missing text or list is an empty text; a list is a JSON array.
        "text" | "categorical" | "list" => {
            let texts = values.iter().map(|value| match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            let tensor = tensor(&feature.name, Datatype::Bytes, &[rows]);
            (tensor, encode_strings(texts))
        }
        // A number or a boolean; a missing value is NaN.
        _ => {
            let number = |value: &&Value| match value {
                Value::Bool(yes) => f64::from(u8::from(*yes)),
                other => other.as_f64().unwrap_or(f64::NAN),
            };
            let numbers: Vec<f64> = values.iter().map(number).collect();
            let tensor = tensor(&feature.name, Datatype::Fp64, &[rows]);
            (tensor, encode_f64(&numbers))
        }
    }
}

/// A Rank request for candidates, with the features that models read.
fn rank_request(candidates: &[Value], features: &[FeatureDescription]) -> RankRequest {
    let id = |row: &Value| row["candidate_id"].as_str().unwrap_or_default().to_owned();
    let mut request = RankRequest {
        candidate_ids: candidates.iter().map(id).collect(),
        limit: 5,
        ..RankRequest::default()
    };
    for feature in features {
        // A feature of the request is sent once, with the value of the first candidate.
        let rows = match feature.side.as_str() {
            "context" => candidates.get(..1).unwrap_or_default(),
            _ => candidates,
        };
        let values: Vec<&Value> = rows.iter().map(|row| &row[&feature.name]).collect();
        let (tensor, raw) = feature_tensor(feature, &values);
        request.inputs.push(tensor);
        request.raw_input_contents.push(raw);
    }
    request
}

async fn rank(
    client: &mut RankingServiceClient<Channel>,
    candidates: &[Value],
) -> Result<Vec<String>, tonic::Status> {
    let described = client.describe_ranking(DescribeRankingRequest {}).await?;
    let request = rank_request(candidates, &described.into_inner().features);
    let answer = client.rank(request).await?.into_inner();
    let sum = answer.objectives.iter();
    let sum: Vec<String> = sum
        .map(|own| format!("{:+} · P({})", own.weight, own.name))
        .collect();
    println!(
        "\nscore = {}   (revision {})",
        sum.join(" "),
        answer.revision
    );
    for (place, candidate) in (1..).zip(&answer.candidates) {
        println!(
            "{place}. {:<10} score {:+.4}  P = {:.4?}",
            candidate.id, candidate.score, candidate.probabilities
        );
    }
    let ids = answer.candidates.into_iter().map(|candidate| candidate.id);
    Ok(ids.collect())
}

/// Sets β, unless someone else changed the profile meanwhile. Returns the old β.
async fn set_beta(
    client: &mut WeightsServiceClient<Channel>,
    beta: f64,
) -> Result<f64, Box<dyn Error>> {
    let profile = "default".to_owned();
    let answer = client.get_weights(GetWeightsRequest { profile }).await?;
    let now = answer
        .into_inner()
        .profiles
        .pop()
        .ok_or("the combiner has no profile `default`")?;
    let before = now.weights.iter().find(|weight| weight.objective == BAIT);
    let before = before
        .ok_or("the profile has no objective `engagement_bait`")?
        .weight;
    let change = ProfileChange {
        profile: now.profile,
        expected_revision: Some(now.revision),
        weights: vec![ObjectiveWeight {
            objective: BAIT.to_owned(),
            weight: beta,
        }],
        ..ProfileChange::default()
    };
    let request = SetWeightsRequest {
        changes: vec![change],
        cause: Some(Cause {
            author: "example".to_owned(),
            reason: format!("example: β = {beta}"),
            ..Cause::default()
        }),
        ..SetWeightsRequest::default()
    };
    client.set_weights(request).await?;
    Ok(before)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(file), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rank_and_move_beta CANDIDATES.ndjson http://HOST:PORT".into());
    };
    let text = fs::read_to_string(file)?;
    let candidates: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let endpoint = Endpoint::from_shared(address)?.tcp_nodelay(true);
    let channel = endpoint.connect().await?;
    let mut ranking = RankingServiceClient::new(channel.clone());
    let mut weights = WeightsServiceClient::new(channel);
    let before = set_beta(&mut weights, 0.0).await?;
    let free = rank(&mut ranking, &candidates).await?;
    set_beta(&mut weights, -4.0).await?;
    let dear = rank(&mut ranking, &candidates).await?;
    set_beta(&mut weights, before).await?;
    let changed = if free == dear {
        "stayed the same"
    } else {
        "changed"
    };
    println!("\nThe order {changed}.");
    Ok(())
}
