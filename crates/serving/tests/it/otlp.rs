//! Spans as a collector receives them: a tonic server in this test, which keeps what is exported.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{convert::Infallible, future::Ready};

use counterweight_serving::{
    Call, Limits, Listener, Listeners, OutgoingCall, Server, init_logging,
    prometheus::{IntGauge, Registry},
};
use http::{Request, Response};
use tokio::sync::{mpsc, oneshot};
use tonic::{
    Status,
    body::Body,
    metadata::MetadataMap,
    server::{Grpc, NamedService, UnaryService},
    transport::Endpoint,
};
use tonic_prost::ProstCodec;
use tower_service::Service;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// The collector: an export is one message whose field 1 holds the spans, which is how prost reads
/// bytes.
#[derive(Clone)]
struct Collector(mpsc::UnboundedSender<Vec<u8>>);

impl NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl UnaryService<Vec<u8>> for Collector {
    type Response = ();
    type Future = Ready<Result<tonic::Response<()>, Status>>;

    fn call(&mut self, request: tonic::Request<Vec<u8>>) -> Self::Future {
        self.0.send(request.into_inner()).unwrap();
        std::future::ready(Ok(tonic::Response::new(())))
    }
}

impl Service<Request<Body>> for Collector {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<(), Vec<u8>>::default());
            Ok(grpc.unary(service, request).await)
        })
    }
}

/// A service that calls another server, and sends back the metadata of that call.
#[derive(Clone)]
struct Caller(mpsc::UnboundedSender<MetadataMap>);

impl NamedService for Caller {
    const NAME: &'static str = "test.Caller";
}

impl Service<Request<Body>> for Caller {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sender = self.0.clone();
        Box::pin(async move {
            let mut request = tonic::Request::from_http(request);
            let call = Call::take_from(&mut request);
            let outgoing = OutgoingCall::begin("test.Model/Infer", &call.trace);
            let mut metadata = MetadataMap::new();
            outgoing.inject(&mut metadata);
            sender.send(metadata).unwrap();
            let outcome = outgoing.run(async { Err::<(), _>(Status::not_found("no")) });
            Ok(outcome.await.unwrap_err().into_http())
        })
    }
}

async fn listen() -> (Listeners, String) {
    let grpc = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", grpc.address().unwrap());
    let listeners = Listeners {
        grpc,
        metrics: None,
    };
    (listeners, address)
}

async fn server(name: &'static [&'static str]) -> Server {
    let descriptors = tonic_health::pb::FILE_DESCRIPTOR_SET;
    let server = Server::new(name, descriptors, Registry::new(), Limits::default());
    server.await.unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_a_request_and_of_its_calls_are_exported_in_the_callers_trace() {
    let (exports, mut exported) = mpsc::unbounded_channel();
    let (listeners, collector) = listen().await;
    let collecting = server(&[Collector::NAME]).await;
    let router = collecting.router().unwrap();
    let router = router.add_service(Collector(exports));
    tokio::spawn(collecting.run(router, listeners, std::future::pending()));

    let exporting = init_logging(false, Some(&collector)).unwrap();
    let (sender, mut sent) = mpsc::unbounded_channel();
    let (listeners, address) = listen().await;
    let serving = server(&[Caller::NAME]).await;
    let gauge = IntGauge::new("in_progress", "Calls.").unwrap();
    let gate = serving.gate(&["Work"], gauge, |_| {}).unwrap();
    let router = serving.router().unwrap();
    let router = router.add_service(gate.guard(Caller(sender)));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serving.run(router, listeners, async { drop(stopped.await) }));

    let channel = Endpoint::from_shared(address)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(());
    let parent = format!("00-{TRACE}-{CALLER}-01");
    request
        .metadata_mut()
        .insert("traceparent", parent.parse().unwrap());
    let path = "/test.Caller/Work".parse().unwrap();
    let codec = ProstCodec::<(), ()>::default();
    client.unary(request, path, codec).await.unwrap_err();

    let metadata = sent.recv().await.unwrap();
    let passed_on = metadata
        .get("traceparent")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let parts: Vec<&str> = passed_on.split('-').collect();
    assert_eq!((parts[1], parts[3]), (TRACE, "01"), "{passed_on}");
    assert_ne!(parts[2], CALLER);

    drop(stop);
    server.await.unwrap().unwrap();
    exporting.finish().await;
    let mut spans = Vec::new();
    while let Ok(bytes) = exported.try_recv() {
        spans.extend(bytes);
    }
    assert!(contains(&spans, &hex(TRACE)) && contains(&spans, &hex(CALLER)));
    for text in [
        "test.Caller/Work",
        "test.Model/Infer",
        "rpc.grpc.status_code",
    ] {
        assert!(contains(&spans, text.as_bytes()), "{text}");
    }
    // The model that was called would continue the span of this very call.
    assert!(contains(&spans, &hex(parts[2])), "{passed_on}");
}
