//! Start, health and stop of a combiner, and what its listener accepts.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{Combiner, Model, PROFILES, objective, request, two_models, two_objectives};
use counterweight_combiner::{Config, Listener, Listeners, serve};
use counterweight_proto::counterweight::v1::{
    WatchWeightsRequest, ranking_service_client::RankingServiceClient,
};
use counterweight_test_support::{eventually, soon};
use tokio::{net::TcpStream, sync::oneshot};
use tonic::{
    Code,
    codec::CompressionEncoding::{Deflate, Gzip},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const RANKING: &str = "counterweight.v1.RankingService";
/// Far longer than a test waits for anything.
const LONG_DRAIN: &str = "drain_seconds = 600";

fn health_of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

async fn status(channel: &Channel, service: &str) -> ServingStatus {
    let mut client = HealthClient::new(channel.clone());
    let response = client.check(health_of(service)).await.unwrap();
    response.into_inner().status()
}

#[tokio::test]
async fn watchers_and_idle_connections_do_not_hold_up_a_stop() {
    let (_e, _b, mut combiner) = two_models(LONG_DRAIN).await;
    let channel = combiner.channel().await;
    eventually("health", || async {
        status(&channel, RANKING).await == ServingStatus::Serving
    })
    .await;
    let mut health = HealthClient::new(channel)
        .watch(health_of(RANKING))
        .await
        .unwrap()
        .into_inner();
    let state = health.message().await.unwrap().unwrap();
    assert_eq!(state.status(), ServingStatus::Serving);
    let weights = combiner
        .weights()
        .await
        .watch_weights(WatchWeightsRequest { from_revision: 0 })
        .await
        .unwrap();
    let _idle = combiner.ranking().await;
    let _silent = TcpStream::connect(combiner.address).await.unwrap();

    combiner.begin_stop();
    let state = soon("the state", health.message()).await;
    let state = state.unwrap().unwrap();
    assert_eq!(state.status(), ServingStatus::NotServing);
    soon("the stop", combiner.stopped()).await.unwrap();
    drop(weights);
}

#[tokio::test]
async fn ranking_is_healthy_once_each_model_has_been_reached_in_any_order() {
    // The first model never answers, which must not keep the second from being reached.
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let address = e.address;
    e.kill();
    let config = format!(
        "{}{}{PROFILES}",
        objective("engagement", &[format!("http://{address}")], ""),
        objective("engagement_bait", &[b.url()], "")
    );
    let combiner = Combiner::start(&config).await;
    let channel = combiner.channel().await;
    eventually("the second model is asked", || async {
        b.state.metadata_calls() > 0
    })
    .await;
    assert_eq!(status(&channel, RANKING).await, ServingStatus::NotServing);
    assert_eq!(status(&channel, "").await, ServingStatus::Serving);
    let _e = Model::on(address, "xe");
    eventually("health", || async {
        status(&channel, RANKING).await == ServingStatus::Serving
    })
    .await;
}

#[tokio::test]
async fn a_unix_socket_and_a_host_name_serve_as_a_port_does() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("combiner.sock").display());
    for address in ["localhost:0", &socket] {
        let text = format!(
            "listen = {address:?}\n{}{PROFILES}[store]\npath = \"weights.log\"\n",
            two_objectives(&e, &b)
        );
        let config = Config::parse(&text, "test.toml", folder.path()).unwrap();
        let grpc = Listener::bind(&config.listen).await.unwrap();
        let address = grpc.address().unwrap();
        let listeners = Listeners {
            grpc,
            metrics: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(config, listeners, async { drop(stopped.await) }));
        let uri = match address.strip_prefix("unix:") {
            Some(path) => format!("unix://{path}"),
            None => format!("http://{address}"),
        };
        let channel = Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
        let mut client = RankingServiceClient::new(channel);
        client.rank(request(&[0.9], &[0.1])).await.unwrap();
        drop(stop);
        server.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn compressed_requests_are_accepted_up_to_the_limit_of_a_message() {
    let (_e, _b, combiner) = two_models("max_message_bytes = 1000000").await;
    let channel = combiner.channel().await;
    for encoding in [Gzip, Deflate] {
        let mut client = RankingServiceClient::new(channel.clone()).send_compressed(encoding);
        let ranked = client.rank(request(&[0.9, 0.1], &[0.2, 0.3])).await;
        assert_eq!(ranked.unwrap().into_inner().candidates.len(), 2);
        // A few kilobytes on the wire, and sixteen times the limit when they are decompressed.
        let mut bomb = request(&[0.9], &[0.2]);
        bomb.request_id = "x".repeat(16 << 20);
        let status = client.rank(bomb).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        client.rank(request(&[0.9], &[0.2])).await.unwrap();
    }
}
