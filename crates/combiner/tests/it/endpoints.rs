//! Models with several servers: one that is silent, one that is merely slow, a roll-out, and a
//! host name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use common::{Combiner, Mode, Model, objective, request};
use counterweight_proto::counterweight::v1::{
    DescribeRankingRequest, RankRequest, ranking_service_client::RankingServiceClient,
};
use counterweight_test_support::eventually;
use tonic::{Code, Request, transport::Channel};

type Client = RankingServiceClient<Channel>;

/// What the combiner keeps of a caller's time to answer in.
const RESERVE: Duration = Duration::from_millis(20);

/// Two servers of one model, and a combiner that ranks by it alone.
async fn two_servers(more: &str) -> (Model, Model, Combiner) {
    let (one, two) = (Model::start("xe"), Model::start("xe"));
    let config = format!(
        "{}[profile.default]\nweights = {{ engagement = 1.0 }}\n",
        objective("engagement", &[one.url(), two.url()], more)
    );
    let combiner = Combiner::start(&config).await;
    (one, two, combiner)
}

fn query() -> RankRequest {
    let mut query = request(&[0.1, 0.2], &[]);
    query.inputs.pop();
    query.raw_input_contents.pop();
    query
}

/// A query whose caller waits that many milliseconds.
fn within(millis: u64) -> Request<RankRequest> {
    let mut request = Request::new(query());
    let metadata = request.metadata_mut();
    metadata.insert("grpc-timeout", format!("{millis}m").parse().unwrap());
    request
}

/// Ranks while one of the two servers says nothing until `timeout`: one request fails, and the ones
/// after it go to the other server.
async fn fails_once(
    client: &mut Client,
    timeout: Duration,
    request: impl Fn() -> Request<RankRequest>,
) {
    let failed = async |client: &mut Client| match client.rank(request()).await {
        Ok(_) => false,
        Err(status) => {
            assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
            true
        }
    };
    let mut began = Instant::now();
    let mut turns = 1;
    while !failed(client).await {
        turns += 1;
        assert!(turns <= 3, "requests are balanced over both servers");
        began = Instant::now();
    }
    let mut failures = 0;
    for _ in 0..4 {
        failures += u64::from(failed(client).await);
    }
    // One request a second tries it again. None is due by now, unless this machine is slow.
    let suspect = began.elapsed().saturating_sub(timeout - RESERVE);
    assert!(
        failures <= suspect.as_secs(),
        "{failures} after {suspect:?}"
    );
}

#[tokio::test]
async fn a_silent_server_costs_one_request_of_a_caller_without_a_deadline() {
    let (one, _two, combiner) = two_servers("timeout_ms = 1000").await;
    let mut client = combiner.ranking().await;
    for _ in 0..4 {
        client.rank(query()).await.unwrap();
    }
    one.state.set(Mode::Silent);
    let timeout = Duration::from_millis(1_000);
    fails_once(&mut client, timeout, || Request::new(query())).await;
}

#[tokio::test]
async fn a_silent_server_costs_one_request_of_a_caller_with_a_deadline() {
    let (one, _two, combiner) = two_servers("timeout_ms = 60000").await;
    let mut client = combiner.ranking().await;
    for _ in 0..4 {
        client.rank(query()).await.unwrap();
    }
    one.state.set(Mode::Silent);
    let timeout = Duration::from_millis(2_000);
    fails_once(&mut client, timeout, || within(2_000)).await;
}

#[tokio::test]
async fn a_server_that_never_answered_costs_at_most_one_request_a_second() {
    // The kernel accepts for a listener that nobody serves.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = Model::start("xe");
    let urls = [
        format!("http://{}", silent.local_addr().unwrap()),
        good.url(),
    ];
    let config = format!(
        "{}[profile.default]\nweights = {{ engagement = 1.0 }}\n",
        objective("engagement", &urls, "timeout_ms = 600")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let began = Instant::now();
    let mut failures = 0;
    while good.state.calls() < 8 {
        failures += u64::from(client.rank(query()).await.is_err());
    }
    // The first may find out, unless what watches the models did so before it.
    assert!(failures <= 1 + began.elapsed().as_secs(), "{failures}");
}

#[tokio::test]
async fn a_callers_short_deadline_says_nothing_about_a_server() {
    let (one, two, combiner) = two_servers("").await;
    let mut client = combiner.ranking().await;
    let both = [&one.state, &two.state];
    for state in both {
        state.set(Mode::Slow(Duration::from_millis(600)));
    }
    while both.iter().any(|state| state.calls() == 0) {
        client.rank(query()).await.unwrap();
    }
    let status = client.rank(within(320)).await.unwrap_err();
    // The client gives up by itself at the same time.
    let codes = [Code::DeadlineExceeded, Code::Cancelled];
    assert!(codes.contains(&status.code()), "{status:?}");
    for state in both {
        state.set(Mode::Normal);
    }
    let before = both.map(|state| state.calls());
    for _ in 0..6 {
        client.rank(query()).await.unwrap();
    }
    let more = [0, 1].map(|at| both[at].calls() - before[at]);
    assert!(
        more.iter().all(|&more| more >= 2),
        "both are used: {more:?}"
    );
}

#[tokio::test]
async fn the_newest_version_counts_as_served_while_a_roll_out_is_under_way() {
    let (one, two, combiner) = two_servers("").await;
    let mut client = combiner.ranking().await;
    let version = async |client: &mut Client| {
        let described = client.describe_ranking(DescribeRankingRequest {}).await;
        described.unwrap().into_inner().objectives[0]
            .model_version
            .clone()
    };
    client.rank(query()).await.unwrap();
    assert_eq!(version(&mut client).await, "v1");
    two.state.replace("v2", false);
    eventually("the new version is served", async || {
        client.rank(query()).await.unwrap();
        version(&mut client).await == "v2"
    })
    .await;
    // Both go on answering, and both are asked again what they accept.
    let asked = |model: &Model| model.state.metadata_calls.load(Ordering::SeqCst);
    let (one_before, two_before) = (asked(&one), asked(&two));
    eventually("both are asked three times", async || {
        let answers = [
            client.rank(query()).await.unwrap().into_inner(),
            client.rank(query()).await.unwrap().into_inner(),
        ];
        for answer in answers {
            // Each answer names the version that made it.
            assert!(["v1", "v2"].contains(&answer.objectives[0].model_version.as_str()));
        }
        assert_eq!(version(&mut client).await, "v2");
        asked(&one) >= one_before + 3 && asked(&two) >= two_before + 3
    })
    .await;
    // When the roll-out is taken back, the older version is served again.
    two.state.replace("v1", false);
    eventually("the older version is served", async || {
        client.rank(query()).await.unwrap();
        version(&mut client).await == "v1"
    })
    .await;
}

#[tokio::test]
async fn a_host_name_serves_as_an_endpoint() {
    let e = Model::start("xe");
    let url = format!("http://localhost:{}", e.address.port());
    let config = format!(
        "{}[profile.default]\nweights = {{ engagement = 1.0 }}\n",
        objective("engagement", &[url], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    for _ in 0..4 {
        // Whatever other addresses the name has: only one of them has a server.
        client.rank(query()).await.unwrap();
    }
    assert_eq!(e.state.calls(), 4);
}
