//! What one caller may ask for: callers that go away, requests that would grow, work that would
//! take too long, and texts that are too long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use common::{
    Combiner, Mode, Model, PROFILES, ids, info, objective, push, replay::THREE_COLUMNS, request,
    two_models,
};
use counterweight_proto::counterweight::v1::{
    PreviewWeightsRequest, RankRequest, ReadLogRequest, SolveWeightsRequest,
    solve_weights_request::Goal,
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, tensor};
use counterweight_test_support::eventually;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

#[tokio::test]
async fn a_caller_that_goes_away_breaks_off_no_call_to_a_model() {
    let (e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.1, 0.2], &[0.3, 0.4]);
    client.rank(query.clone()).await.unwrap();
    for model in [&e, &b] {
        model.state.set(Mode::Slow(Duration::from_millis(200)));
    }
    let count = |counted: fn(&common::State) -> usize| counted(&e.state) + counted(&b.state);
    for _ in 0..50 {
        let mut client = client.clone();
        let query = query.clone();
        let before = count(common::State::calls);
        let caller = tokio::spawn(async move { client.rank(query).await });
        eventually("both models are asked", async || {
            count(common::State::calls) >= before + 2
        })
        .await;
        caller.abort();
    }
    let answered = |state: &common::State| state.answered.load(Ordering::SeqCst);
    eventually("all calls end", async || {
        count(answered) == count(common::State::calls)
    })
    .await;
    let broken_off = |state: &common::State| state.broken_off.load(Ordering::SeqCst);
    assert_eq!(count(broken_off), 0);
    // The work of those who went away is over, and counts no more.
    let idle = "counterweight_rank_requests_in_flight 0";
    eventually("no work is left", async || {
        combiner.metrics_text().await.contains(idle)
    })
    .await;
}

#[tokio::test]
async fn overload_of_a_model_is_answered_as_overload_unless_the_profile_says_otherwise() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let config = format!(
        "{}{}{PROFILES}[profile.steady]\nweights = {{ engagement = 1.0, engagement_bait = -0.5 }}\n\
         on_model_overload = \"without\"\n",
        objective("engagement", &[e.url()], ""),
        objective("engagement_bait", &[b.url()], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let query = |profile: &str| RankRequest {
        profile: profile.to_owned(),
        ..request(&[0.9, 0.5], &[0.2, 0.3])
    };
    client.rank(query("default")).await.unwrap();
    b.state.set(Mode::Status(Code::ResourceExhausted));
    for profile in ["default", "careful"] {
        let status = client.rank(query(profile)).await.unwrap_err();
        let (reason, facts) = info(&status);
        assert_eq!(
            (status.code(), reason.as_str(), facts["objective"].as_str()),
            (Code::ResourceExhausted, "OVERLOADED", "engagement_bait")
        );
        let retry = status.get_details_retry_info().unwrap().retry_delay;
        assert!(retry.unwrap() > Duration::ZERO);
    }
    let answer = client.rank(query("steady")).await.unwrap().into_inner();
    assert_eq!(answer.degraded[0].objective, "engagement_bait");
    // A failure is none: this profile fails then.
    b.state.set(Mode::Status(Code::Internal));
    let status = client.rank(query("steady")).await.unwrap_err();
    assert_eq!(info(&status).0, "MODEL_FAILED");
}

#[tokio::test]
async fn a_context_feature_that_would_be_repeated_beyond_a_message_is_refused() {
    let model = Model::start("x");
    let packed = "packed = { input = \"x\", features = [\"caps\", \"age\"] }";
    let config = format!(
        "{}[profile.default]\nweights = {{ engagement = 1.0 }}\n",
        objective("engagement", &[model.url()], packed)
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let ask = |candidates: usize, width: usize| {
        let mut query = RankRequest {
            candidate_ids: ids(candidates),
            ..Default::default()
        };
        let caps = encode_f32(&vec![0.5; width]);
        push(
            &mut query,
            tensor("caps", Datatype::Fp32, &[1, width]),
            caps,
        );
        push(
            &mut query,
            tensor("age", Datatype::Fp32, &[1]),
            encode_f32(&[0.25]),
        );
        query
    };
    client.rank(ask(3, 2)).await.unwrap();
    // 0.4 MB that would become 400 GB.
    let status = client.rank(ask(10_000, 100_000)).await.unwrap_err();
    let (reason, facts) = info(&status);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::InvalidArgument, "MALFORMED_TENSOR")
    );
    assert_eq!(facts["feature"], "caps");
    assert!(
        status
            .message()
            .contains("100000 values for each of 10000 rows"),
        "{status:?}"
    );
}

#[tokio::test]
async fn an_answer_beyond_a_message_is_refused_before_the_models_are_asked() {
    let (e, _b, combiner) = two_models("[limits]\nmax_message_bytes = 16384").await;
    let mut client = combiner.ranking().await;
    let mut query = request(&[0.5; 500], &[0.5; 500]);
    let status = client.rank(query.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).1["field"].as_str()),
        (Code::InvalidArgument, "limit")
    );
    assert_eq!(e.state.calls(), 0);
    query.limit = 100;
    assert_eq!(
        client
            .rank(query)
            .await
            .unwrap()
            .into_inner()
            .candidates
            .len(),
        100
    );
}

/// Requests of 5,000 candidates on a combiner that keeps them.
async fn large_requests(combiner: &Combiner, count: usize) {
    let n = 5_000;
    let mut ranking = combiner.ranking().await;
    let mut random = common::replay::Random(7);
    for _ in 0..count {
        let mut query = RankRequest {
            candidate_ids: ids(n),
            ..Default::default()
        };
        for name in ["p_e", "p_b", "p_h"] {
            let column = encode_f64(&random.column(n, 1 << 40));
            push(&mut query, tensor(name, Datatype::Fp64, &[n]), column);
        }
        ranking.rank(query).await.unwrap();
    }
}

fn solve(k: u32) -> SolveWeightsRequest {
    SolveWeightsRequest {
        k,
        goal: Some(Goal::BaitBudget(0.5)),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_page_that_shows_all_needs_no_walk_and_one_that_shows_most_is_too_much_work() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    large_requests(&combiner, 2).await;
    let mut client = combiner.weights().await;
    // No weight changes a page of all candidates.
    let began = Instant::now();
    let status = client.solve_weights(solve(5_000)).await.unwrap_err();
    assert_eq!(info(&status).0, "OUT_OF_REACH", "{status:?}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "it walked: {:?}",
        began.elapsed()
    );
    let status = client.solve_weights(solve(4_999)).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).1["field"].as_str()),
        (Code::InvalidArgument, "k")
    );
    assert!(
        status.message().contains("100000000000"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn a_long_solution_blocks_nobody_and_ends_with_its_deadline_or_the_server() {
    let mut combiner = Combiner::start(THREE_COLUMNS).await;
    large_requests(&combiner, 1).await;
    let mut client = combiner.weights().await;
    // Millions of steps over thousands of places.
    let long = solve(4_400);
    let mut timed = Request::new(long.clone());
    timed
        .metadata_mut()
        .insert("grpc-timeout", "200m".parse().unwrap());
    let status = client.solve_weights(timed).await.unwrap_err();
    // The client gives up by itself at the same time.
    let codes = [Code::DeadlineExceeded, Code::Cancelled];
    assert!(codes.contains(&status.code()), "{status:?}");

    let mut other = combiner.weights().await;
    let solving = tokio::spawn(async move { other.solve_weights(long).await });
    let preview = PreviewWeightsRequest {
        change: Some(common::weights::change(
            "default",
            &[("engagement_bait", -1.0)],
            None,
        )),
        k: 10,
    };
    client.preview_weights(preview).await.unwrap();
    assert!(
        !solving.is_finished(),
        "the preview waited for the solution"
    );
    combiner.begin_stop();
    let status = solving.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::Unavailable, "DRAINING")
    );
    combiner.stopped().await.unwrap();
}

#[tokio::test]
async fn readers_of_the_log_that_do_not_read_block_no_preview() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    // More than fits into the window of a stream, which is 2 MiB for this client.
    large_requests(&combiner, 20).await;
    let mut ranking = combiner.ranking().await;
    let mut unread = Vec::new();
    for _ in 0..16 {
        let stream = ranking.read_log(ReadLogRequest::default()).await.unwrap();
        unread.push(stream);
    }
    let status = ranking
        .read_log(ReadLogRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let preview = PreviewWeightsRequest {
        change: Some(common::weights::change(
            "default",
            &[("engagement_bait", -1.0)],
            None,
        )),
        k: 10,
    };
    combiner
        .weights()
        .await
        .preview_weights(preview)
        .await
        .unwrap();
}

#[tokio::test]
async fn long_texts_fit_into_a_status_whoever_wrote_them() {
    let (_e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.9, 0.5], &[0.2, 0.3]);
    client.rank(query.clone()).await.unwrap();
    let long = "x".repeat(1_000_000);
    let mut twice = query.clone();
    twice.candidate_ids = vec![long.clone(), long.clone()];
    let mut unknown = query.clone();
    push(
        &mut unknown,
        tensor(&long, Datatype::Fp32, &[1]),
        encode_f32(&[0.0]),
    );
    let mut datatype = query.clone();
    datatype.inputs[0].datatype = long.clone();
    let mut shape = query.clone();
    shape.inputs[0].shape = vec![1; 100_000];
    let profile = RankRequest {
        profile: long.clone(),
        ..query.clone()
    };
    for query in [twice, unknown, datatype, shape, profile] {
        let status = client.rank(query).await.unwrap_err();
        let (_, facts) = info(&status);
        assert!(status.message().len() < 1_600, "{}", status.message().len());
        assert!(facts.values().all(|value| value.len() < 300), "{facts:?}");
        assert!(
            facts.get("field").is_none_or(|field| field.len() < 40),
            "{facts:?}"
        );
    }
    let says = Box::leak("busy\n".repeat(1_000).into_boxed_str());
    b.state.set(Mode::Says(Code::Internal, says));
    let status = client.rank(query.clone()).await.unwrap_err();
    assert_eq!(info(&status).0, "MODEL_FAILED");
    let careful = RankRequest {
        profile: "careful".into(),
        ..query
    };
    let answer = client.rank(careful).await.unwrap().into_inner();
    assert!(answer.degraded[0].reason.len() < 1_600);
}

/// Waits until the ranking service reports that status.
async fn health_becomes(combiner: &Combiner, expected: ServingStatus) {
    let mut health = HealthClient::new(combiner.channel().await);
    let service = HealthCheckRequest {
        service: "counterweight.v1.RankingService".into(),
    };
    let mut reports = health.watch(service).await.unwrap().into_inner();
    let reported =
        async { while reports.message().await.unwrap().unwrap().status() != expected {} };
    tokio::time::timeout(Duration::from_secs(60), reported)
        .await
        .unwrap();
}

#[tokio::test]
async fn health_goes_down_with_the_models_and_up_again_as_the_policy_says() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let objectives = format!(
        "{}{}",
        objective("engagement", &[e.url()], ""),
        objective("engagement_bait", &[b.url()], "")
    );
    let profile = |policy: &str| {
        format!(
            "{objectives}[profile.default]\nweights = {{ engagement = 1.0, engagement_bait = -0.5 }}\n\
             on_model_failure = \"{policy}\"\n"
        )
    };
    let fails = Combiner::start(&profile("fail")).await;
    let goes_on = Combiner::start(&profile("without")).await;
    for combiner in [&fails, &goes_on] {
        health_becomes(combiner, ServingStatus::Serving).await;
    }
    let (e_address, b_address) = (e.address, b.address);
    b.kill();
    health_becomes(&fails, ServingStatus::NotServing).await;
    health_becomes(&goes_on, ServingStatus::Serving).await;
    e.kill();
    health_becomes(&goes_on, ServingStatus::NotServing).await;
    let _e = Model::on(e_address, "xe");
    health_becomes(&goes_on, ServingStatus::Serving).await;
    health_becomes(&fails, ServingStatus::NotServing).await;
    let _b = Model::on(b_address, "xb");
    health_becomes(&fails, ServingStatus::Serving).await;
}
