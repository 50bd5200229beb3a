//! Models that are down, slow, wrong or overloaded; a combiner that is overloaded or told to stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{
    Combiner, Mode, Model, PROFILES, assert_recomputes, info, objective, request, two_models,
};
use counterweight_proto::counterweight::v1::{
    RankRequest, RankResponse, WatchWeightsRequest, ranking_service_client::RankingServiceClient,
};
use counterweight_test_support::{eventually, eventually_some, soon};
use tokio::net::{TcpListener, TcpSocket};
use tonic::{Code, Request, transport::Channel};
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

/// The query of a caller who waits half a second. The header alone says so: the client itself waits
/// as long as it takes.
fn in_half_a_second(query: RankRequest) -> Request<RankRequest> {
    let mut request = Request::new(query);
    let metadata = request.metadata_mut();
    metadata.insert("grpc-timeout", "500m".parse().unwrap());
    request
}

/// The answer of the careful profile while a model says nothing. The combiner keeps 20 ms of the
/// caller's time for it, which a loaded machine may need for itself.
async fn without_the_silent(client: &mut RankingServiceClient<Channel>) -> RankResponse {
    let query = careful(request(&[0.9, 0.5], &[0.2, 0.3]));
    let answer = eventually_some("an answer without the silent model", async || {
        client.rank(in_half_a_second(query.clone())).await.ok()
    });
    answer.await.into_inner()
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
            "set to fail",
        ),
        (
            Mode::Status(Code::NotFound),
            Code::Unavailable,
            "MODEL_UNAVAILABLE",
            "set to fail",
        ),
        (
            Mode::Status(Code::Internal),
            Code::Unavailable,
            "MODEL_FAILED",
            "set to fail",
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
async fn a_silent_model_costs_no_more_than_the_callers_time() {
    let (_e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.9, 0.5], &[0.2, 0.3]);
    client.rank(query.clone()).await.unwrap();
    b.state.set(Mode::Silent);
    let refused = soon("a refusal", client.rank(in_half_a_second(query))).await;
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(info(&status).1["objective"], "engagement_bait");
    let answer = without_the_silent(&mut client).await;
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
        let answer = without_the_silent(&mut client).await;
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
    eventually("an answer", async || {
        client.rank(request(&[0.1], &[0.2])).await.is_ok()
    })
    .await;
    b.state.set(Mode::Silent);
    let refused = soon("a refusal", client.rank(request(&[0.1], &[0.2]))).await;
    assert_eq!(refused.unwrap_err().code(), Code::DeadlineExceeded);
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
    let asked = || first.state.metadata_calls() + second.state.metadata_calls();
    let asked_before = asked();
    for _ in 0..20 {
        client.rank(query.clone()).await.unwrap();
    }
    let (one, two) = (first.state.calls(), second.state.calls());
    // Whoever is asked for its metadata meanwhile has had its turn.
    let turns = 1 + asked() - asked_before;
    assert!(one.abs_diff(two) <= turns, "{one} and {two}");
    assert_eq!(one + two, 20);
    let address = first.address;
    first.kill();
    for _ in 0..50 {
        client.rank(query.clone()).await.unwrap();
    }
    second.state.set(Mode::Flapping);
    let back = Model::on(address, "xe");
    eventually("the endpoint is used again when it is back", async || {
        client.rank(query.clone()).await.unwrap();
        back.state.calls() > 0
    })
    .await;
    for _ in 0..20 {
        client.rank(query.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn a_model_that_comes_up_later_is_found() {
    // Bound, so that nobody else gets the port, and not listening yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
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

    let listener = socket.listen(64).unwrap().into_std().unwrap();
    let _b = Model::behind(listener, "xb");
    eventually("the model is found", async || {
        client.rank(query.clone()).await.is_ok()
    })
    .await;
    eventually("the ranking service becomes healthy", async || {
        status_of("counterweight.v1.RankingService").await == ServingStatus::Serving
    })
    .await;
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
    e.state.set(Mode::Silent);
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, query) = (client.clone(), query.clone());
            tokio::spawn(async move { client.rank(query).await })
        })
        .collect();
    // As many as the limit are in progress or wait for their turn; how many of each is measured.
    eventually("four requests", async || {
        let text = combiner.metrics_text().await;
        let count = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        count("counterweight_rank_requests_in_flight ") + count("counterweight_requests_waiting ")
            == 4
    })
    .await;
    let refused = soon("a refusal", client.rank(query.clone())).await;
    let status = refused.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::ResourceExhausted, "OVERLOADED")
    );
    e.state.set(Mode::Normal);
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
    let (e, _b, mut combiner) = two_models("[limits]\ndrain_seconds = 600").await;
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
    e.state.set(Mode::Silent);
    let in_flight = tokio::spawn({
        let (mut client, query) = (client.clone(), query.clone());
        async move { client.rank(query).await }
    });
    e.state.called(2).await;
    combiner.begin_stop();
    let status = watch.message().await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::Unavailable, "DRAINING")
    );
    e.state.set(Mode::Normal);
    in_flight
        .await
        .unwrap()
        .expect("a request in flight is answered");
    soon("the stop", combiner.stopped()).await.unwrap();
    assert!(client.rank(query).await.is_err());
}
