//! ReadLog over a real socket: what is kept is what Rank answered, to the bit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::collections::HashMap;

use common::{
    Combiner, Mode, Model, info,
    log::{assert_same, read_log},
    request, two_models, two_objectives,
    weights::{bait, get},
};
use counterweight_proto::counterweight::v1::RankRequest;
use counterweight_tensor::{Datatype, encode_f64, tensor};
use tonic::Code;

/// A third objective that is a column of the request, and a calibrator on top of the second's
/// model.
fn three_objectives(e: &Model, b: &Model, more: &str) -> String {
    format!(
        r#"{more}
        {}
        [objective.calibrator]
        method = "platt"
        slope = 1.1
        intercept = -0.2
        [[objective]]
        name = "hide"
        column = {{ name = "p_hide" }}
        [profile.default]
        weights = {{ engagement = 1.0, engagement_bait = -0.5, hide = -2.0 }}
        [profile.other]
        weights = {{ engagement = 1.0, engagement_bait = -0.5 }}
        on_model_failure = "without"
        limit = 2
        "#,
        two_objectives(e, b),
    )
}

/// A request of n candidates, not in the order of their ids, with ties.
fn candidates(name: &str, n: usize) -> RankRequest {
    let p = |i: usize, m: usize| ((i * m) % 7) as f32 / 10.0;
    let e: Vec<f32> = (0..n).map(|i| p(i, 3)).collect();
    let b: Vec<f32> = (0..n).map(|i| p(i, 5)).collect();
    let hide: Vec<f64> = (0..n).map(|i| ((i * 2) % 5) as f64 / 10.0).collect();
    let mut request = request(&e, &b);
    common::push(
        &mut request,
        tensor("p_hide", Datatype::Fp64, &[n]),
        encode_f64(&hide),
    );
    request.candidate_ids.reverse();
    request.request_id = name.into();
    request
}

#[tokio::test]
async fn what_is_read_is_what_rank_answered() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let combiner = Combiner::start(&three_objectives(&e, &b, "")).await;
    let (mut client, mut weights) = (combiner.ranking().await, combiner.weights().await);
    let mut answers = HashMap::new();
    for i in 0..300 {
        if i == 150 {
            weights.set_weights(bait(-0.9, None)).await.unwrap();
        }
        let mut request = candidates(&format!("r{i:03}"), 1 + i % 40);
        request.limit = [0, 1, 10, u32::MAX][i % 4];
        request.unit_id = format!("u{}", i % 7);
        let answer = client.rank(request).await.unwrap().into_inner();
        answers.insert(answer.request_id.clone(), answer);
    }
    let log = read_log(&mut client, "").await.unwrap();
    assert_eq!(log.len(), 300);
    let revision = get(&mut weights, "default").await.revision;
    for (i, logged) in log.iter().enumerate() {
        assert_eq!(logged.request_id, format!("r{i:03}"), "oldest first");
        assert_same(logged, &answers[&logged.request_id]);
        assert_eq!(logged.unit_id, format!("u{}", i % 7));
        assert_eq!(logged.share, 1.0);
        assert_eq!(logged.revision, if i < 150 { 0 } else { revision });
        assert!(logged.k >= 1 && i32::try_from(logged.k).is_ok());
        // Only a model under a calibrator of the combiner has its own answer.
        let n = logged.candidate_ids.len();
        let raw: Vec<usize> = logged
            .objectives
            .iter()
            .map(|o| o.raw_probabilities.len())
            .collect();
        assert_eq!(raw, [0, n, 0]);
        let bait = &logged.objectives[1];
        for (raw, p) in bait.raw_probabilities.iter().zip(&bait.probabilities) {
            assert_eq!(raw, &f64::from(*raw as f32), "the model answers in 32 bits");
            if *raw > 0.0 {
                let logit = 1.1 * (raw / (1.0 - raw)).ln() - 0.2;
                assert!((p - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-12);
            }
        }
    }
    assert!(log.is_sorted_by_key(|one| {
        let time = one.time.unwrap();
        (time.seconds, time.nanos)
    }));
}

#[tokio::test]
async fn a_profile_is_read_alone_and_what_was_ranked_without_an_objective_says_so() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let combiner = Combiner::start(&three_objectives(&e, &b, "")).await;
    let mut client = combiner.ranking().await;
    assert!(read_log(&mut client, "").await.unwrap().is_empty());
    let mut whole = candidates("whole", 5);
    whole.profile = "other".into();
    client.rank(whole.clone()).await.unwrap();
    b.state.set(Mode::Status(Code::Unavailable));
    whole.request_id = "without".into();
    let answer = client.rank(whole).await.unwrap().into_inner();
    assert_eq!(answer.degraded.len(), 1);
    let log = read_log(&mut client, "other").await.unwrap();
    let objectives: Vec<usize> = log.iter().map(|one| one.objectives.len()).collect();
    assert_eq!(objectives, [2, 1]);
    assert_same(&log[1], &answer);
    assert_eq!(log[1].k, 2, "the profile's own limit");
    assert!(read_log(&mut client, "default").await.unwrap().is_empty());
    let unknown = read_log(&mut client, "othr").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn more_is_streamed_than_one_message_may_hold() {
    let (_e, _b, combiner) = two_models("max_message_bytes = 65536").await;
    let mut client = combiner.ranking().await;
    for i in 0..100 {
        let mut request = request(&[0.5; 1_000], &[0.25; 1_000]);
        request.request_id = format!("r{i}");
        request.limit = 5;
        client.rank(request).await.unwrap();
    }
    let log = read_log(&mut client, "default").await.unwrap();
    assert_eq!(log.len(), 100);
    assert!(log.iter().all(|one| one.candidate_ids.len() == 1_000));
}

#[tokio::test]
async fn a_bound_on_recent_requests_keeps_a_share_and_says_which() {
    let (_e, _b, combiner) = two_models("recent_requests = { candidates = 400 }").await;
    let mut client = combiner.ranking().await;
    for _ in 0..300 {
        client.rank(request(&[0.5; 10], &[0.2; 10])).await.unwrap();
    }
    let log = read_log(&mut client, "default").await.unwrap();
    assert!(log.len() <= 40, "{}", log.len());
    let share = log.first().unwrap().share;
    assert!(share < 0.5 && share.log2().fract() == 0.0, "{share}");
    assert!(log.iter().all(|one| one.share == share));
    let text = combiner.metrics_text().await;
    for expected in [
        format!("counterweight_recent_requests_share{{profile=\"default\"}} {share}"),
        "counterweight_recent_requests{profile=\"careful\"} 0".to_owned(),
        "counterweight_recent_requests_dropped_total{profile=\"default\"}".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected} in {text}");
    }
}

#[tokio::test]
async fn where_nothing_is_kept_the_answer_says_how_to_keep_it() {
    let (_e, _b, combiner) = two_models("recent_requests = { candidates = 0 }").await;
    let mut client = combiner.ranking().await;
    client.rank(request(&[0.5], &[0.2])).await.unwrap();
    let status = read_log(&mut client, "").await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(info(&status).0, "RECENT_REQUESTS_OFF");
    assert!(
        status.message().contains("[recent_requests]"),
        "{}",
        status.message()
    );
}
