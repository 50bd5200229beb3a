//! Ranks three posts of the shipped sample from Rust, moves β, and ranks them again.
//!
//! Start a system with `counterweight up`, then: `cargo run -p counterweight-tests --bin rank_and_move_beta -- http://127.0.0.1:7000`.
//! To copy it into a project of your own, depend on `counterweight-proto`, `counterweight-tensor`, `tokio` and `tonic`.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use counterweight_proto::counterweight::v1::{
    ObjectiveWeight, ProfileChange, RankRequest, SetWeightsRequest,
    ranking_service_client::RankingServiceClient, weights_service_client::WeightsServiceClient,
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, encode_strings, tensor};
use tonic::transport::Channel;

/// Adds one feature: a value per candidate, or one value for a feature of the user and the moment.
fn add(
    request: &mut RankRequest,
    name: &str,
    datatype: Datatype,
    shape: &[usize],
    raw: bytes::Bytes,
) {
    request.inputs.push(tensor(name, datatype, shape));
    request.raw_input_contents.push(raw);
}

fn numbers(request: &mut RankRequest, name: &str, values: &[f64]) {
    add(
        request,
        name,
        Datatype::Fp64,
        &[values.len()],
        encode_f64(values),
    ); // NaN is a missing value
}

fn texts(request: &mut RankRequest, name: &str, values: &[&str]) {
    add(
        request,
        name,
        Datatype::Bytes,
        &[values.len()],
        encode_strings(values),
    ); // "" is a missing value
}

fn posts() -> RankRequest {
    let mut request = RankRequest {
        candidate_ids: ["ferry", "tag", "share"].map(str::to_owned).to_vec(),
        ..RankRequest::default()
    };
    let r = &mut request;
    texts(
        r,
        "post_text",
        &[
            "News from the island: the ferry was 7 minutes late and nobody minded.",
            "Tag somebody who needs to see this island!!!",
            "SHARE if you think senior dogs deserve better",
        ],
    );
    texts(r, "post_topic", &["travel", "travel", "pets"]);
    texts(r, "post_format", &["photo", "photo", "photo"]);
    texts(r, "post_hashtags", &["[]", r#"["viral"]"#, "[]"]); // a list is a JSON array
    texts(r, "author_id", &["a000250", "a000017", "a000031"]);
    numbers(r, "post_age_hours", &[5.0, 3.0, 9.0]);
    numbers(r, "post_media_count", &[1.0, 1.0, 1.0]);
    numbers(r, "post_video_seconds", &[f64::NAN; 3]);
    numbers(r, "post_has_link", &[0.0, 0.0, 0.0]);
    numbers(r, "author_followers", &[4200.0, 910.0, 15000.0]);
    numbers(r, "author_verified", &[1.0, 0.0, 0.0]);
    numbers(r, "author_posts_30d", &[30.0, 44.0, 51.0]);
    numbers(r, "author_likes_30d", &[1500.0, 1100.0, 1300.0]);
    numbers(r, "author_strikes_365d", &[0.0, 2.0, 3.0]);
    add(
        r,
        "post_embedding",
        Datatype::Fp32,
        &[3, 8],
        encode_f32(&[[-0.19, 0.25, 0.25, -0.31, 0.13, 0.38, -0.06, 0.19]; 3].concat()),
    );
    texts(r, "user_favourite_topic", &["travel"]);
    texts(r, "user_followed_topics", &[r#"["travel", "pets"]"#]);
    texts(r, "user_country", &["KE"]);
    texts(r, "user_device", &["android"]);
    texts(r, "daypart", &["evening"]);
    numbers(r, "user_sessions_7d", &[18.0]);
    numbers(r, "user_reports_90d", &[1.0]);
    numbers(r, "user_account_days", &[660.0]);
    numbers(r, "hour", &[19.0]);
    numbers(r, "on_wifi", &[1.0]);
    add(
        r,
        "user_embedding",
        Datatype::Fp32,
        &[1, 8],
        encode_f32(&[-0.25, 0.19, 0.31, -0.44, 0.06, 0.5, -0.13, 0.25]),
    );
    request
}

async fn rank(client: &mut RankingServiceClient<Channel>) -> Result<Vec<String>, tonic::Status> {
    let answer = client.rank(posts()).await?.into_inner();
    let weights: Vec<String> = answer
        .objectives
        .iter()
        .map(|o| format!("{:+} · P({})", o.weight, o.name))
        .collect();
    println!(
        "\nscore = {}   (revision {})",
        weights.join(" "),
        answer.revision
    );
    for (place, candidate) in answer.candidates.iter().enumerate() {
        println!(
            "{}. {:<6} score {:+.4}  P = {:.4?}",
            place + 1,
            candidate.id,
            candidate.score,
            candidate.probabilities
        );
    }
    Ok(answer
        .candidates
        .into_iter()
        .map(|candidate| candidate.id)
        .collect())
}

async fn set_beta(
    client: &mut WeightsServiceClient<Channel>,
    beta: f64,
) -> Result<(), tonic::Status> {
    let weights = vec![ObjectiveWeight {
        objective: "engagement_bait".to_owned(),
        weight: beta,
    }];
    let change = ProfileChange {
        profile: "default".to_owned(),
        weights,
        ..ProfileChange::default()
    };
    let request = SetWeightsRequest {
        changes: vec![change],
        author: "example".to_owned(),
        reason: format!("example: β = {beta}"),
        ..SetWeightsRequest::default()
    };
    client.set_weights(request).await.map(|_| ())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "http://127.0.0.1:7000".to_owned());
    let channel = tonic::transport::Endpoint::from_shared(address)?
        .tcp_nodelay(true)
        .connect()
        .await?;
    let mut ranking = RankingServiceClient::new(channel.clone());
    let mut weights = WeightsServiceClient::new(channel);
    set_beta(&mut weights, 0.0).await?;
    let free = rank(&mut ranking).await?;
    set_beta(&mut weights, -4.0).await?;
    let dear = rank(&mut ranking).await?;
    set_beta(&mut weights, -1.0).await?;
    println!(
        "\nThe order {}.",
        if free == dear {
            "stayed the same"
        } else {
            "changed"
        }
    );
    Ok(())
}
