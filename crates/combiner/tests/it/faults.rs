//! Models that are down, slow, wrong or overloaded; a combiner that is overloaded or told to stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::time::{Duration, Instant};

use common::{
    Combiner, Mode, Model, PROFILES, assert_recomputes, info, objective, request, two_models,
};
use counterweight_proto::counterweight::v1::{RankRequest, WatchWeightsRequest};
use tokio::net::TcpListener;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

fn careful(query: RankRequest) -> RankRequest {
    RankRequest {
        profile: "careful".into(),
        limit: 99,
        ..query
    }
}

#[tokio::test]
async fn a_failed_model_fails_the_request_or_is_done_without_and_never_counts_as_zero() {
    let (_e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.9, 0.5, 0.1], &[0.2, 0.3, 0.4]);
    client.rank(query.clone()).await.unwrap();
    let cases = [
        (
            Mode::Short,
            Code::FailedPrecondition,
            "MODEL_WRONG_ANSWER",
            "2 rows for 3 candidates",
        ),
        (
            Mode::Nan,
            Code::FailedPrecondition,
            "MODEL_WRONG_ANSWER",
            "row 2, is NaN",
        ),
        (
            Mode::OutOfRange,
            Code::FailedPrecondition,
            "MODEL_WRONG_ANSWER",
            "row 2, is 1.5",
        ),
        (
            Mode::Status(Code::Unavailable),
            Code::Unavailable,
            "MODEL_UNAVAILABLE",
            "told to fail",
        ),
        (
            Mode::Status(Code::NotFound),
            Code::Unavailable,
            "MODEL_UNAVAILABLE",
            "told to fail",
        ),
        (
            Mode::Status(Code::Internal),
            Code::Unavailable,
            "MODEL_FAILED",
            "told to fail",
        ),
        (
            Mode::Status(Code::DeadlineExceeded),
            Code::DeadlineExceeded,
            "MODEL_TIMED_OUT",
            "did not answer within",
        ),
    ];
    for (mode, code, reason, text) in cases {
        b.state.set(mode);
        let status = client.rank(query.clone()).await.unwrap_err();
        assert_eq!(status.code(), code, "{mode:?}: {status:?}");
        let (found, facts) = info(&status);
        assert_eq!(
            (found.as_str(), facts["objective"].as_str()),
            (reason, "engagement_bait")
        );
        assert!(status.message().contains(text), "{}", status.message());

        let answer = client
            .rank(careful(query.clone()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.degraded.len(), 1);
        assert_eq!(answer.degraded[0].objective, "engagement_bait");
        assert!(
            answer.degraded[0].reason.contains(text),
            "{:?}",
            answer.degraded
        );
        assert_eq!(
            answer.objectives.len(),
            1,
            "the objective is gone, not zero"
        );
        assert_eq!(answer.candidates[0].probabilities.len(), 1);
        assert_recomputes(&answer);
    }
    b.state.set(Mode::Normal);
    assert!(
        client
            .rank(careful(query))
            .await
            .unwrap()
            .into_inner()
            .degraded
            .is_empty()
    );
    let metrics = combiner.metrics_text().await;
    assert!(
        metrics.contains("counterweight_rank_degraded_total{profile=\"careful\"} 7"),
        "{metrics}"
    );
    assert!(metrics.contains("counterweight_objective_failures_total{kind=\"MODEL_WRONG_ANSWER\",objective=\"engagement_bait\"} 6"), "{metrics}");
}

#[tokio::test]
async fn what_a_model_calls_a_bad_request_is_the_callers_fault_under_any_policy() {
    let (_e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    b.state.set(Mode::Status(Code::InvalidArgument));
    let status = client
        .rank(careful(request(&[0.1], &[0.2])))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(info(&status).0, "FEATURES_REFUSED");
}

#[tokio::test]
async fn when_no_weight_is_left_there_is_no_answer() {
    let (e, b, combiner) = two_models("[profile.bait]\nweights = { engagement = 0.0, engagement_bait = -1.0 }\non_model_failure = \"without\"\n").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.1], &[0.2]);
    client.rank(query.clone()).await.unwrap();
    b.state.set(Mode::Nan);
    let status = client
        .rank(RankRequest {
            profile: "bait".into(),
            ..query.clone()
        })
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "NO_OBJECTIVE_LEFT"),
        "a wrong answer would be as wrong again"
    );
    e.state.set(Mode::Nan);
    let status = client.rank(careful(query)).await.unwrap_err();
    assert_eq!(info(&status).1["objective"], "engagement, engagement_bait");
}

#[tokio::test]
async fn a_slow_model_costs_no_more_than_the_callers_time() {
    let (_e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.9, 0.5], &[0.2, 0.3]);
    client.rank(query.clone()).await.unwrap();
    b.state.set(Mode::Slow(Duration::from_secs(5)));
    let timed = |query: RankRequest| {
        let mut request = Request::new(query);
        // The header alone: the client itself waits as long as it takes.
        request
            .metadata_mut()
            .insert("grpc-timeout", "300m".parse().unwrap());
        request
    };
    let started = Instant::now();
    let status = client.rank(timed(query.clone())).await.unwrap_err();
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(info(&status).1["objective"], "engagement_bait");
    let answer = client
        .rank(timed(careful(query)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        answer.degraded.len(),
        1,
        "there is time left to answer without"
    );
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_done_without_in_time() {
    // The kernel accepts for a listener that nobody serves.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let e = Model::start("xe");
    let config = format!(
        "{}{}{PROFILES}",
        objective("engagement", &[e.url()], ""),
        objective(
            "engagement_bait",
            &[format!("http://{}", silent.local_addr().unwrap())],
            ""
        )
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    for _ in 0..2 {
        let mut query = Request::new(careful(request(&[0.9, 0.5], &[0.2, 0.3])));
        query
            .metadata_mut()
            .insert("grpc-timeout", "2000m".parse().unwrap());
        let answer = client.rank(query).await.unwrap().into_inner();
        assert_eq!(answer.degraded[0].objective, "engagement_bait");
        assert_eq!(answer.objectives.len(), 1);
    }
}

#[tokio::test]
async fn a_models_own_timeout_holds_where_the_caller_has_none() {
    let b = Model::start("xb");
    let e = Model::start("xe");
    let config = format!(
        "{}{}{PROFILES}",
        objective("engagement", &[e.url()], ""),
        objective("engagement_bait", &[b.url()], "timeout_ms = 100")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    client.rank(request(&[0.1], &[0.2])).await.unwrap();
    b.state.set(Mode::Slow(Duration::from_secs(5)));
    let status = client.rank(request(&[0.1], &[0.2])).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn endpoints_are_balanced_and_one_that_dies_is_not_noticed() {
    let (first, second, b) = (Model::start("xe"), Model::start("xe"), Model::start("xb"));
    let config = format!(
        "{}{}{PROFILES}",
        objective("engagement", &[first.url(), second.url()], ""),
        objective("engagement_bait", &[b.url()], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.1, 0.2], &[0.3, 0.4]);
    for _ in 0..20 {
        client.rank(query.clone()).await.unwrap();
    }
    let (one, two) = (first.state.calls(), second.state.calls());
    assert!(one.abs_diff(two) <= 1 && one + two == 20, "{one} and {two}");
    let address = first.address;
    first.kill();
    for _ in 0..50 {
        client.rank(query.clone()).await.unwrap();
    }
    second.state.set(Mode::Flapping);
    let back = Model::on(address, "xe");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..20 {
        client.rank(query.clone()).await.unwrap();
    }
    assert!(
        back.state.calls() > 0,
        "the endpoint is used again when it is back"
    );
}

#[tokio::test]
async fn a_model_that_comes_up_later_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let e = Model::start("xe");
    let config = format!(
        "{}{}{PROFILES}",
        objective("engagement", &[e.url()], ""),
        objective("engagement_bait", &[format!("http://{address}")], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.1], &[0.2]);
    let status = client.rank(query.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("engagement_bait") && status.message().contains("refused"),
        "{}",
        status.message()
    );
    assert_eq!(
        client
            .rank(careful(query.clone()))
            .await
            .unwrap()
            .into_inner()
            .degraded
            .len(),
        1
    );
    let mut health = HealthClient::new(combiner.channel().await);
    let mut status_of = async |service: &str| {
        health
            .check(HealthCheckRequest {
                service: service.into(),
            })
            .await
            .unwrap()
            .into_inner()
            .status()
    };
    assert_eq!(status_of("").await, ServingStatus::Serving);
    assert_eq!(
        status_of("counterweight.v1.RankingService").await,
        ServingStatus::NotServing
    );

    let _b = Model::on(address, "xb");
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.rank(query).await.unwrap();
    for _ in 0..100 {
        if status_of("counterweight.v1.RankingService").await == ServingStatus::Serving {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the ranking service became healthy");
}

#[tokio::test]
async fn a_unix_socket_serves_as_an_endpoint() {
    let e = Model::start("xe");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let target = e.address;
    tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut to = tokio::net::TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    let config = format!(
        "{}[profile.default]\nweights = {{ engagement = 1.0 }}\n",
        objective("engagement", &[format!("unix:{}", path.display())], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut query = request(&[0.1], &[]);
    query.inputs.pop();
    query.raw_input_contents.pop();
    combiner.ranking().await.rank(query).await.unwrap();
}

#[tokio::test]
async fn one_request_too_many_is_refused_at_once() {
    let (e, _b, combiner) = two_models("[limits]\nmax_concurrent_requests = 4").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.1], &[0.2]);
    client.rank(query.clone()).await.unwrap();
    e.state.set(Mode::Slow(Duration::from_millis(900)));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, query) = (client.clone(), query.clone());
            tokio::spawn(async move { client.rank(query).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    let status = client.rank(query.clone()).await.unwrap_err();
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::ResourceExhausted, "OVERLOADED")
    );
    for task in busy {
        task.await.unwrap().unwrap();
    }
    client.rank(query).await.unwrap();
    assert!(
        combiner
            .metrics_text()
            .await
            .contains("counterweight_rank_overloaded_total 1")
    );
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_tells_watchers() {
    let (e, _b, mut combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.1], &[0.2]);
    client.rank(query.clone()).await.unwrap();
    let mut watch = combiner
        .weights()
        .await
        .watch_weights(WatchWeightsRequest { from_revision: 0 })
        .await
        .unwrap()
        .into_inner();
    e.state.set(Mode::Slow(Duration::from_millis(400)));
    let in_flight = tokio::spawn({
        let (mut client, query) = (client.clone(), query.clone());
        async move { client.rank(query).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    combiner.begin_stop();
    let status = watch.message().await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::Unavailable, "DRAINING")
    );
    in_flight
        .await
        .unwrap()
        .expect("a request in flight is answered");
    let stopped = tokio::time::timeout(Duration::from_secs(3), combiner.stopped()).await;
    stopped.expect("the server stops soon").unwrap();
    assert!(client.rank(query).await.is_err());
}
