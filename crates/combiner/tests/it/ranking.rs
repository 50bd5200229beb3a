//! Ranking over real sockets: what is sent to the models, what comes back, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{
    Combiner, Mode, Model, PROFILES, assert_recomputes, info, objective, push, request, two_models,
    two_objectives,
};
use counterweight_proto::{
    counterweight::v1::{DescribeRankingRequest, RankRequest},
    inference::InferTensorContents,
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, encode_i64, tensor};
use counterweight_test_support::{eventually, eventually_some};
use prost::Message as _;
use tonic::{Code, Request};

/// Numbers that are no round binary fractions.
fn spread(n: usize, step: f64) -> Vec<f32> {
    (0..n)
        .map(|i| ((i as f64 * step).sin() * 0.5 + 0.5) as f32)
        .collect()
}

#[tokio::test]
async fn candidates_are_ranked_and_every_score_is_recomputed_to_the_bit() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&spread(200, 0.7), &spread(200, 1.3));
    let answer = client.rank(query.clone()).await.unwrap().into_inner();
    assert_eq!(answer.candidates.len(), 200);
    assert_eq!((answer.profile.as_str(), answer.revision), ("default", 0));
    assert_eq!(
        answer.request_id.len(),
        36,
        "a UUID is made: {}",
        answer.request_id
    );
    let names: Vec<_> = answer
        .objectives
        .iter()
        .map(|o| (o.name.as_str(), o.weight, o.model_version.as_str()))
        .collect();
    assert_eq!(
        names,
        [("engagement", 1.0, "v1"), ("engagement_bait", -0.5, "v1")]
    );
    assert!(answer.degraded.is_empty());
    assert_recomputes(&answer);
    for candidate in &answer.candidates {
        let at: usize = candidate.id[1..].parse().unwrap();
        assert_eq!(
            candidate.probabilities[0],
            f64::from(spread(200, 0.7)[at]),
            "the double of the model's float"
        );
    }
}

#[tokio::test]
async fn the_same_input_gives_the_same_bytes_and_ties_break_on_the_id() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let mut query = request(&[0.5, 0.5, 0.25, 0.5], &[0.0; 4]);
    query.request_id = "r1".into();
    query.candidate_ids = ["d", "b", "a", "c"].map(str::to_owned).to_vec();
    let first = client.rank(query.clone()).await.unwrap().into_inner();
    let order: Vec<_> = first.candidates.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(order, ["b", "c", "d", "a"]);
    assert_eq!(first.candidates[0].contributions[1].to_bits(), 0, "−0 is 0");
    for _ in 0..5 {
        let mut again = client.rank(query.clone()).await.unwrap().into_inner();
        assert_ne!(again.ranking_id, first.ranking_id);
        again.ranking_id.clone_from(&first.ranking_id);
        assert_eq!(again.encode_to_vec(), first.encode_to_vec());
    }
}

#[tokio::test]
async fn limits_are_the_requests_or_else_the_profiles() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    for (profile, limit, expected) in [
        ("default", 0, 5),
        ("default", 3, 3),
        ("careful", 0, 2),
        ("careful", 4, 4),
        ("default", 99, 5),
    ] {
        let query = RankRequest {
            profile: profile.into(),
            limit,
            ..request(&spread(5, 0.3), &spread(5, 0.9))
        };
        let answer = client.rank(query).await.unwrap().into_inner();
        assert_eq!(answer.candidates.len(), expected, "{profile} {limit}");
    }
}

#[tokio::test]
async fn a_model_gets_its_own_features_and_the_very_bytes_that_came() {
    let (e, b, combiner) = two_models("").await;
    e.state
        .inputs
        .lock()
        .unwrap()
        .push(("hour".into(), "FP64", "context", true));
    let mut client = combiner.ranking().await;
    let mut query = request(&[0.1, 0.2], &[0.3, 0.4]);
    push(
        &mut query,
        tensor("hour", Datatype::Fp64, &[1]),
        encode_f64(&[13.0]),
    );
    client.rank(query).await.unwrap();
    let (seen, _) = e.state.last();
    assert_eq!(
        seen.inputs
            .iter()
            .map(|i| i.name.as_str())
            .collect::<Vec<_>>(),
        ["xe", "hour"]
    );
    assert_eq!(
        seen.raw_input_contents,
        [encode_f32(&[0.1, 0.2]), encode_f64(&[13.0])]
    );
    assert_eq!(
        (seen.model_name.as_str(), seen.model_version.as_str()),
        ("m_engagement", "")
    );
    assert_eq!(
        b.state.last().0.raw_input_contents,
        [encode_f32(&[0.3, 0.4])]
    );

    let mut typed = request(&[], &[]);
    typed.candidate_ids = common::ids(2);
    typed.raw_input_contents.clear();
    for input in &mut typed.inputs {
        input.shape = vec![2];
        input.contents = Some(InferTensorContents {
            fp32_contents: vec![0.5, 0.25],
            ..Default::default()
        });
    }
    let answer = client.rank(typed).await.unwrap().into_inner();
    assert_recomputes(&answer);
    let (seen, _) = e.state.last();
    assert!(seen.raw_input_contents.is_empty() && seen.inputs[0].contents.is_some());
}

#[tokio::test]
async fn deadline_and_trace_are_handed_on() {
    let (e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let mut query = Request::new(request(&[0.1], &[0.2]));
    query.set_timeout(std::time::Duration::from_secs(20));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    query
        .metadata_mut()
        .insert("traceparent", trace.parse().unwrap());
    query
        .metadata_mut()
        .insert("tracestate", "a=1".parse().unwrap());
    client.rank(query).await.unwrap();
    let mut spans = Vec::new();
    for state in [&e.state, &b.state] {
        let (_, metadata) = state.last();
        let timeout = metadata
            .get("grpc-timeout")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let micros: u64 = timeout
            .trim_end_matches('u')
            .parse()
            .unwrap_or_else(|_| panic!("{timeout}"));
        assert!(
            (1_000_000..20_000_000).contains(&micros),
            "less than the caller's: {timeout}"
        );
        let parent = metadata
            .get("traceparent")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            parent.starts_with(&trace[..36]) && parent.ends_with("-01") && parent != trace,
            "{parent}"
        );
        assert_eq!(metadata.get("tracestate").unwrap(), "a=1");
        spans.push(parent);
    }
    assert_ne!(spans[0], spans[1], "each call has its own span");
}

#[tokio::test]
async fn a_third_objective_needs_configuration_only_and_a_column_serves() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let config = format!(
        "{}[[objective]]\nname = \"hide\"\n[objective.column]\nname = \"p_hide\"\n\
         [profile.default]\nweights = {{ engagement = 1.0, engagement_bait = -0.5, hide = -2.0 }}\n\
         [profile.alone]\nweights = {{ hide = -1.0 }}\n",
        two_objectives(&e, &b)
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let mut query = request(&spread(9, 0.3), &spread(9, 0.9));
    let hide: Vec<f64> = spread(9, 2.1).into_iter().map(f64::from).collect();
    push(
        &mut query,
        tensor("p_hide", Datatype::Fp64, &[9, 1]),
        encode_f64(&hide),
    );
    let answer = client.rank(query.clone()).await.unwrap().into_inner();
    assert_eq!(answer.objectives[2].name, "hide");
    assert_eq!(answer.objectives[2].model_version, "");
    assert_recomputes(&answer);
    let calls = e.state.calls();
    let alone = client
        .rank(RankRequest {
            profile: "alone".into(),
            ..query.clone()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(alone.objectives.len(), 1);
    assert_eq!(
        e.state.calls(),
        calls,
        "a profile calls its own objectives only"
    );

    query.raw_input_contents[2] = encode_f64(&[0.1, 0.2, f64::NAN, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
    let status = client.rank(query.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let (reason, facts) = info(&status);
    assert_eq!(
        (
            reason.as_str(),
            facts["objective"].as_str(),
            facts["feature"].as_str()
        ),
        ("NOT_A_PROBABILITY", "hide", "p_hide")
    );
    query.inputs.pop();
    query.raw_input_contents.pop();
    assert_eq!(
        info(&client.rank(query).await.unwrap_err()).0,
        "MISSING_FEATURE"
    );
}

#[tokio::test]
async fn a_calibrator_stands_on_top_and_is_named() {
    let e = Model::start("xe");
    let config = format!(
        "{}[objective.calibrator]\nmethod = \"platt\"\nslope = 2.0\nintercept = 0.5\n[profile.default]\nweights = {{ engagement = 1.0 }}\n",
        objective("engagement", &[e.url()], "")
    );
    let combiner = Combiner::start(&config).await;
    let query = RankRequest {
        candidate_ids: common::ids(3),
        inputs: vec![tensor("xe", Datatype::Fp32, &[3])],
        raw_input_contents: vec![encode_f32(&[0.25, 0.0, 1.0])],
        ..Default::default()
    };
    let answer = combiner
        .ranking()
        .await
        .rank(query)
        .await
        .unwrap()
        .into_inner();
    assert!(
        answer.objectives[0].calibrator.starts_with("platt"),
        "{:?}",
        answer.objectives[0]
    );
    let p = |id: &str| {
        answer
            .candidates
            .iter()
            .find(|c| c.id == id)
            .unwrap()
            .probabilities[0]
    };
    let expected = 1.0 / (1.0 + (-(2.0 * (0.25_f64 / 0.75).ln() + 0.5)).exp());
    assert!((p("c0000") - expected).abs() < 1e-12);
    assert!(p("c0001").is_finite() && p("c0002").is_finite());
    assert_recomputes(&answer);
}

#[tokio::test]
async fn a_foreign_predict_proba_serves_with_packed_columns() {
    let (e, b) = (Model::start("xe"), Model::start(""));
    b.state.set(Mode::PredictProba);
    b.state.inputs.lock().unwrap().clear();
    let foreign = "output = \"predict_proba\"\ncolumn = 1\npacked = { input = \"x\", features = [\"age\", \"hour\", \"xb\"] }";
    let config = format!(
        "{}{}{PROFILES}",
        objective("engagement", &[e.url()], ""),
        objective("engagement_bait", &[b.url()], foreign)
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let mut query = request(&[0.5, 0.6], &[0.125, 0.75]);
    push(
        &mut query,
        tensor("age", Datatype::Int64, &[2]),
        encode_i64(&[3, 4]),
    );
    push(
        &mut query,
        tensor("hour", Datatype::Fp32, &[1]),
        encode_f32(&[7.5]),
    );
    let answer = client.rank(query.clone()).await.unwrap().into_inner();
    let bait: Vec<f64> = answer
        .candidates
        .iter()
        .map(|c| c.probabilities[1])
        .collect();
    assert_eq!(bait, [0.125, 0.75]);
    let (seen, _) = b.state.last();
    assert_eq!(
        (
            seen.inputs[0].name.as_str(),
            seen.inputs[0].datatype.as_str()
        ),
        ("x", "FP64")
    );
    assert_eq!(seen.inputs[0].shape, [2, 3]);
    assert_eq!(
        seen.raw_input_contents,
        [encode_f64(&[3.0, 7.5, 0.125, 4.0, 7.5, 0.75])]
    );
    assert_eq!(seen.outputs[0].name, "predict_proba");
    assert_eq!(answer.objectives[1].model_version, "v1");
    // Its metadata states no version: that is learned from the answer.
    eventually("the version is learned", async || {
        let reported = client.describe_ranking(DescribeRankingRequest {}).await;
        reported.unwrap().into_inner().objectives[1].model_version == "v1"
    })
    .await;
    push(
        &mut query,
        tensor("aeg", Datatype::Fp32, &[1]),
        encode_f32(&[7.5]),
    );
    let status = client.rank(query).await.unwrap_err();
    assert!(
        status.message().contains("did you mean \"age\"?"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn context_is_expanded_for_a_server_that_does_not_broadcast_and_refused_otherwise() {
    for (more, expanded) in [("expand_context = true", true), ("", false)] {
        let e = Model::start("xe");
        e.state
            .inputs
            .lock()
            .unwrap()
            .push(("hour".into(), "FP32", "", true));
        let config = format!(
            "{}[profile.default]\nweights = {{ engagement = 1.0 }}\n",
            objective("engagement", &[e.url()], more)
        );
        let combiner = Combiner::start(&config).await;
        let query = RankRequest {
            candidate_ids: common::ids(3),
            inputs: vec![
                tensor("xe", Datatype::Fp32, &[3, 1]),
                tensor("hour", Datatype::Fp32, &[1, 2]),
            ],
            raw_input_contents: vec![encode_f32(&[0.1, 0.2, 0.3]), encode_f32(&[5.0, 6.0])],
            ..Default::default()
        };
        let outcome = combiner.ranking().await.rank(query).await;
        if expanded {
            outcome.unwrap();
            let (seen, _) = e.state.last();
            assert_eq!(seen.inputs[1].shape, [3, 2]);
            assert_eq!(
                seen.raw_input_contents[1],
                encode_f32(&[5.0, 6.0, 5.0, 6.0, 5.0, 6.0])
            );
        } else {
            let status = outcome.unwrap_err();
            assert!(
                status.message().contains("expand_context"),
                "{}",
                status.message()
            );
            assert_eq!(info(&status).1["feature"], "hour");
        }
    }
}

#[tokio::test]
async fn a_new_version_with_other_features_is_taken_up() {
    let (e, _b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let mut query = request(&[0.1, 0.2], &[0.3, 0.4]);
    client.rank(query.clone()).await.unwrap();
    push(
        &mut query,
        tensor("fresh", Datatype::Fp32, &[2]),
        encode_f32(&[0.5, 0.5]),
    );
    let status = client.rank(query.clone()).await.unwrap_err();
    assert_eq!(info(&status).0, "UNKNOWN_FEATURE");
    assert_eq!(info(&status).1["feature"], "fresh");

    *e.state.version.lock().unwrap() = "v2".into();
    *e.state.inputs.lock().unwrap() = vec![("fresh".into(), "FP32", "candidate", false)];
    // "xe" is known no longer, "fresh" is: the request without the one and with the other works as
    // soon as the combiner may ask the model again.
    query.inputs.remove(0);
    query.raw_input_contents.remove(0);
    let answer = eventually_some("an answer of the new version", async || {
        client.rank(query.clone()).await.ok()
    });
    let answer = answer.await.into_inner();
    assert_eq!(answer.objectives[0].model_version, "v2");
    assert_eq!(answer.candidates[0].probabilities[0], 0.5);
}

#[tokio::test]
async fn a_pinned_version_is_asked_for_and_insisted_on() {
    let e = Model::start("xe");
    let config = format!(
        "{}[profile.default]\nweights = {{ engagement = 1.0 }}\n",
        objective("engagement", &[e.url()], "version = \"v1\"")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let query = RankRequest {
        candidate_ids: common::ids(1),
        inputs: vec![tensor("xe", Datatype::Fp32, &[1])],
        raw_input_contents: vec![encode_f32(&[0.25])],
        ..Default::default()
    };
    client.rank(query.clone()).await.unwrap();
    assert_eq!(e.state.last().0.model_version, "v1");
    *e.state.version.lock().unwrap() = "v2".into();
    let status = client.rank(query).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("version v1 is not loaded"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn bad_requests_are_refused_with_a_code_a_reason_and_the_culprit() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    type Change = fn(&mut RankRequest);
    let cases: [(Change, Code, &str, &str, &str); 15] = [
        (
            |r| r.candidate_ids.clear(),
            Code::InvalidArgument,
            "NO_CANDIDATES",
            "field",
            "candidate_ids",
        ),
        (
            |r| r.candidate_ids[1] = r.candidate_ids[0].clone(),
            Code::InvalidArgument,
            "DUPLICATE_CANDIDATE",
            "candidate",
            "c0000",
        ),
        (
            |r| r.candidate_ids[1].clear(),
            Code::InvalidArgument,
            "EMPTY_CANDIDATE_ID",
            "field",
            "candidate_ids[1]",
        ),
        (
            |r| drop(r.candidate_ids.pop()),
            Code::InvalidArgument,
            "RAGGED",
            "feature",
            "xe",
        ),
        (
            |r| r.inputs[1].name = "xbb".into(),
            Code::InvalidArgument,
            "UNKNOWN_FEATURE",
            "feature",
            "xbb",
        ),
        (
            |r| r.inputs[1].name = "xe".into(),
            Code::InvalidArgument,
            "MALFORMED_TENSOR",
            "feature",
            "xe",
        ),
        (
            |r| r.inputs[1].datatype = "FP16".into(),
            Code::InvalidArgument,
            "MALFORMED_TENSOR",
            "feature",
            "xb",
        ),
        (
            |r| r.inputs[1].shape = vec![4],
            Code::InvalidArgument,
            "MALFORMED_TENSOR",
            "feature",
            "xb",
        ),
        (
            |r| r.inputs[1].shape = vec![-1],
            Code::InvalidArgument,
            "MALFORMED_TENSOR",
            "feature",
            "xb",
        ),
        (
            |r| drop(r.raw_input_contents.pop()),
            Code::InvalidArgument,
            "MALFORMED_TENSOR",
            "field",
            "raw_input_contents",
        ),
        (
            |r| {
                r.inputs[0].contents = Some(InferTensorContents {
                    fp32_contents: vec![0.5; 3],
                    ..Default::default()
                });
            },
            Code::InvalidArgument,
            "MALFORMED_TENSOR",
            "feature",
            "xe",
        ),
        (
            |r| r.raw_input_contents[0] = encode_f32(&[0.1, f32::INFINITY, 0.1]),
            Code::InvalidArgument,
            "INFINITE",
            "feature",
            "xe",
        ),
        (
            |r| {
                r.inputs.pop();
                r.raw_input_contents.pop();
            },
            Code::InvalidArgument,
            "MISSING_FEATURE",
            "objective",
            "engagement_bait",
        ),
        (
            |r| {
                r.inputs[1] = tensor("xb", Datatype::Fp32, &[1]);
                r.raw_input_contents[1] = encode_f32(&[0.5]);
            },
            Code::InvalidArgument,
            "RAGGED",
            "feature",
            "xb",
        ),
        (
            |r| r.profile = "defualt".into(),
            Code::NotFound,
            "UNKNOWN_PROFILE",
            "profile",
            "defualt",
        ),
    ];
    for (index, (change, code, reason, key, value)) in cases.into_iter().enumerate() {
        let mut query = request(&[0.1, 0.2, 0.3], &[0.3, 0.4, 0.5]);
        change(&mut query);
        let status = client.rank(query).await.expect_err(reason);
        assert_eq!(status.code(), code, "case {index}: {status:?}");
        let (found, facts) = info(&status);
        assert_eq!(found, reason, "case {index}: {}", status.message());
        assert_eq!(
            facts.get(key).map(String::as_str),
            Some(value),
            "case {index}: {facts:?}"
        );
    }
    let one = client
        .rank(request(&[0.1], &[0.2]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one.candidates.len(), 1, "one candidate is fine");
}

#[tokio::test]
async fn what_is_served_is_described_and_measured() {
    let (e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    client.rank(request(&[0.1], &[0.2])).await.unwrap();
    client
        .rank(RankRequest {
            profile: "nobody".into(),
            ..Default::default()
        })
        .await
        .unwrap_err();
    let reported = client
        .describe_ranking(DescribeRankingRequest {})
        .await
        .unwrap()
        .into_inner();
    let symbols: Vec<_> = reported
        .objectives
        .iter()
        .map(|o| (o.symbol.as_str(), o.ready, o.model_version.as_str()))
        .collect();
    assert_eq!(symbols, [("α", true, "v1"), ("β", true, "v1")]);
    assert_eq!(reported.profiles, ["careful", "default"]);
    let feature = reported.features.iter().find(|f| f.name == "xb").unwrap();
    assert_eq!(
        (
            feature.side.as_str(),
            feature.optional,
            feature.objectives.as_slice()
        ),
        ("candidate", false, &["engagement_bait".to_owned()][..])
    );
    b.kill();
    e.state.set(Mode::Normal);
    // The combiner does not ask a model again at once.
    let reported = eventually_some("the model is gone", async || {
        let reported = client.describe_ranking(DescribeRankingRequest {}).await;
        let reported = reported.unwrap().into_inner();
        (!reported.objectives[1].ready).then_some(reported)
    })
    .await;
    assert!(reported.objectives[0].ready);
    assert!(
        reported.objectives[1].reason.contains("unavailable"),
        "{}",
        reported.objectives[1].reason
    );

    let metrics = combiner.metrics_text().await;
    for expected in [
        "counterweight_rank_seconds_count{code=\"OK\",profile=\"default\"} 1",
        "counterweight_rank_seconds_count{code=\"NOT_FOUND\",profile=\"\"} 1",
        "counterweight_objective_seconds_count{objective=\"engagement\"} 1",
        "counterweight_weights_revision{profile=\"default\"} 0",
        "counterweight_weights_watchers 0",
    ] {
        assert!(metrics.contains(expected), "{expected} in\n{metrics}");
    }
}

#[tokio::test]
async fn reflection_names_every_service() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let (_e, _b, combiner) = two_models("").await;
    let query = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(combiner.channel().await)
        .server_reflection_info(tokio_stream::iter([query]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("a list of services: {answer:?}")
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for expected in [
        "counterweight.v1.RankingService",
        "counterweight.v1.WeightsService",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&expected), "{expected} in {names:?}");
    }
}
