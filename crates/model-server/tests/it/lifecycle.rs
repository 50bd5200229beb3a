//! Start, overload, health, reflection, metrics, Unix socket, and a stop that answers the requests
//! in flight.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::support;

use std::{path::PathBuf, time::Duration};

use counterweight_model_server::{Listener, Listeners, ModelServerError, ServerConfig, serve};
use counterweight_proto::inference::{ModelInferRequest, ModelInferResponse, ServerReadyRequest};
use counterweight_tensor::{Datatype, encode_strings};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{
    Code, Request, Response, Status, client::Grpc, codec::CompressionEncoding, transport::Channel,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use counterweight_test_support::{eventually, soon};
use support::{Client, MODEL, Running, info, model, put, request, save};

async fn health(channel: &Channel, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    HealthClient::new(channel.clone())
        .check(request)
        .await
        .unwrap()
        .into_inner()
        .status()
}

/// A ModelInfer whose headers are sent at once and whose body follows later.
async fn infer_with_late_body(
    channel: Channel,
    body: mpsc::Receiver<ModelInferRequest>,
) -> Result<Response<ModelInferResponse>, Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = "/inference.GRPCInferenceService/ModelInfer"
        .parse()
        .unwrap();
    let codec = tonic_prost::ProstCodec::<ModelInferRequest, ModelInferResponse>::default();
    grpc.client_streaming(Request::new(ReceiverStream::new(body)), path, codec)
        .await
}

/// True while a request is arriving or is being answered.
async fn is_busy(server: &Running) -> bool {
    let metrics = server.http("/metrics").await;
    !metrics.contains("counterweight_memory_charged_bytes 0\n")
}

#[tokio::test]
async fn overload_is_rejected_at_once_while_health_answers() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let server = Running::start(repository, |config| {
        config.limits.max_concurrent_requests = 1;
    })
    .await;
    let channel = server.channel().await;
    let mut client = Client::new(channel.clone());
    let scoring = tokio::spawn({
        let mut client = client.clone();
        async move { client.model_infer(large_batch()).await }
    });
    let mut rejected = 0;
    while !scoring.is_finished() {
        let Err(status) = client.model_infer(request()).await else {
            continue;
        };
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(info(&status).0, "OVERLOADED");
        assert_eq!(health(&channel, "").await, ServingStatus::Serving);
        rejected += 1;
    }
    assert!(rejected > 0, "no request was rejected");
    scoring.await.unwrap().unwrap();
    client.model_infer(request()).await.unwrap();
    let metrics = server.http("/metrics").await;
    assert!(
        metrics.contains("code=\"RESOURCE_EXHAUSTED\"") && metrics.contains("code=\"OK\""),
        "{metrics}"
    );
}

/// A request with 300 rows, which takes a while to be scored.
fn large_batch() -> ModelInferRequest {
    let rows = 300;
    let text = "what do you think, vote and tag a friend ".repeat(390);
    let mut large = ModelInferRequest {
        model_name: MODEL.to_owned(),
        ..Default::default()
    };
    put(
        &mut large,
        "views",
        Datatype::Fp64,
        &[rows],
        counterweight_tensor::encode_f64(&vec![1.0; rows]),
    );
    put(
        &mut large,
        "title",
        Datatype::Bytes,
        &[rows],
        encode_strings((0..rows).map(|_| &text)),
    );
    put(
        &mut large,
        "category",
        Datatype::Bytes,
        &[rows],
        encode_strings((0..rows).map(|_| "news")),
    );
    put(
        &mut large,
        "embedding",
        Datatype::Fp32,
        &[rows, 3],
        counterweight_tensor::encode_f32(&vec![0.5; rows * 3]),
    );
    put(
        &mut large,
        "hour",
        Datatype::Fp64,
        &[1],
        counterweight_tensor::encode_f64(&[3.0]),
    );
    put(
        &mut large,
        "favourite",
        Datatype::Bytes,
        &[1],
        encode_strings(["news"]),
    );
    large
}

#[tokio::test]
async fn health_is_answered_while_a_large_batch_is_scored() {
    let (server, _) = Running::with_model(model(0.3)).await;
    let mut client = server.client().await;
    let scoring = tokio::spawn(async move { client.model_infer(large_batch()).await });
    // Client and server run on one thread here. If scoring ran on it too, no check would be
    // answered before the scoring ends.
    let channel = server.channel().await;
    let mut answered = 0;
    while !scoring.is_finished() {
        assert_eq!(health(&channel, "").await, ServingStatus::Serving);
        answered += 1;
    }
    let answer = scoring.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.outputs[0].shape, [300]);
    assert!(answered > 3, "only {answered} health checks were answered");
}

#[tokio::test]
async fn a_message_above_the_limit_is_rejected() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let server = Running::start(repository, |config| {
        config.limits.max_message_bytes = 10_000;
    })
    .await;
    let mut large = request();
    put(
        &mut large,
        "title",
        Datatype::Bytes,
        &[5],
        encode_strings([&"x".repeat(4000); 5]),
    );
    let status = server.client().await.model_infer(large).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
}

#[tokio::test]
async fn reflection_names_the_services_that_are_served() {
    let (server, _) = Running::with_model(model(0.3)).await;
    let ask = |message| ServerReflectionRequest {
        message_request: Some(message),
        ..Default::default()
    };
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(
            "inference.GRPCInferenceService".to_owned(),
        )),
    ];
    let mut client = ServerReflectionClient::new(server.channel().await);
    let mut answers = client
        .server_reflection_info(tokio_stream::iter(questions))
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(services)) =
        answers.next().await.unwrap().unwrap().message_response
    else {
        panic!("no list of services")
    };
    let mut names: Vec<_> = services
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["grpc.health.v1.Health", "inference.GRPCInferenceService"]
    );
    let Some(MessageResponse::FileDescriptorResponse(files)) =
        answers.next().await.unwrap().unwrap().message_response
    else {
        panic!("no descriptor")
    };
    assert!(!files.file_descriptor_proto.is_empty());
}

#[tokio::test]
async fn during_the_grace_of_a_stop_health_is_not_serving_and_requests_are_answered() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let mut server = Running::start(repository, |config| {
        config.limits.drain.grace = Duration::from_secs(600);
    })
    .await;
    let channel = server.channel().await;
    let mut watcher = HealthClient::new(channel.clone());
    let mut states = watcher
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        states.next().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );

    server.server.begin_stop();
    assert_eq!(
        states.next().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    assert_eq!(
        health(&channel, "inference.GRPCInferenceService").await,
        ServingStatus::NotServing
    );
    assert!(server.http("/healthz").await.starts_with("HTTP/1.1 503"));
    let mut client = server.client().await;
    assert!(
        !client
            .server_ready(ServerReadyRequest {})
            .await
            .unwrap()
            .into_inner()
            .ready
    );
    client.model_infer(request()).await.unwrap();
}

#[tokio::test]
async fn a_stop_waits_for_requests_in_flight_but_not_for_watchers() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let mut server = Running::start(repository, |config| {
        config.limits.drain.grace = Duration::from_millis(50);
        config.limits.drain.timeout = Duration::from_secs(600);
    })
    .await;
    let mut watcher = HealthClient::new(server.channel().await);
    let _states = watcher.watch(HealthCheckRequest::default()).await.unwrap();
    let (send, body) = mpsc::channel(1);
    let in_flight = tokio::spawn(infer_with_late_body(server.channel().await, body));
    eventually("the request in flight", || is_busy(&server)).await;

    server.server.begin_stop();
    eventually("no new connection after the grace", async || {
        tokio::net::TcpStream::connect(&server.server.address)
            .await
            .is_err()
    })
    .await;
    assert!(!server.server.has_stopped());
    send.send(request()).await.unwrap();
    drop(send);
    in_flight.await.unwrap().unwrap();
    soon("the stop", server.server.stopped()).await.unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_prevent_a_stop() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let mut server = Running::start(repository, |config| {
        config.limits.drain.timeout = Duration::from_millis(200);
    })
    .await;
    let (_send, body) = mpsc::channel(1);
    let _in_flight = tokio::spawn(infer_with_late_body(server.channel().await, body));
    eventually("the request in flight", || is_busy(&server)).await;
    server.server.begin_stop();
    soon("the stop", server.server.stopped()).await.unwrap();
}

#[tokio::test]
async fn a_unix_socket_serves_the_same() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let socket = repository.path().join(".model.sock");
    let grpc = Listener::bind(&format!("unix:{}", socket.display()))
        .await
        .unwrap();
    assert_eq!(
        grpc.address().unwrap(),
        format!("unix:{}", socket.display())
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listeners = Listeners {
        grpc,
        metrics: None,
    };
    let config = ServerConfig::new(repository.path());
    let task = tokio::spawn(serve(config, listeners, async { drop(stopped.await) }));
    let uri = format!("unix://{}", socket.display());
    let mut client = Client::connect(uri).await.unwrap();
    client.model_infer(request()).await.unwrap();
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_server_with_wrong_settings_does_not_start() {
    let start = |adjust: fn(&mut ServerConfig)| async move {
        let mut config = ServerConfig::new(std::env::temp_dir());
        adjust(&mut config);
        let listeners = Listeners {
            grpc: Listener::bind("127.0.0.1:0").await.unwrap(),
            metrics: None,
        };
        serve(config, listeners, std::future::pending())
            .await
            .unwrap_err()
    };
    let error = start(|config| config.repository = PathBuf::from("/no/such/folder")).await;
    assert!(
        matches!(error, ModelServerError::Repository { .. })
            && error.to_string().contains("/no/such/folder"),
        "{error}"
    );
    assert!(
        start(|config| config.limits.max_concurrent_requests = 0)
            .await
            .to_string()
            .contains("max_concurrent_requests")
    );
    assert!(
        start(|config| config.poll_interval = Duration::ZERO)
            .await
            .to_string()
            .contains("poll_interval")
    );
}

#[tokio::test]
async fn a_silent_connection_does_not_delay_a_stop() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let mut server = Running::start(repository, |config| {
        config.limits.drain.timeout = Duration::from_secs(600);
    })
    .await;
    let _silent = tokio::net::TcpStream::connect(&server.server.address)
        .await
        .unwrap();
    let _idle = server.client().await;
    server.server.begin_stop();
    soon("the stop", server.server.stopped()).await.unwrap();
}

#[tokio::test]
async fn compressed_requests_are_accepted_up_to_the_limit_of_a_message() {
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    let server = Running::start(repository, |config| {
        config.limits.max_message_bytes = 1 << 20;
    })
    .await;
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Deflate] {
        let mut client = server.client().await.send_compressed(encoding);
        client.model_infer(request()).await.unwrap();
        // A few kilobytes on the wire, which become sixteen times the limit after decompression.
        let bomb = ModelInferRequest {
            id: "x".repeat(16 << 20),
            ..request()
        };
        let status = client.model_infer(bomb).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        client.model_infer(request()).await.unwrap();
    }
}
