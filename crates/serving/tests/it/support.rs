//! A small model behind the gate of a real server, and callers that send it bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test support")]

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use counterweight_proto::{
    DESCRIPTORS,
    inference::{ModelInferRequest, ModelInferResponse},
};
use counterweight_serving::{
    Limits, Server, ServingError,
    prometheus::{IntGauge, Registry},
};
use counterweight_test_support::Running;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message as _;
use tonic::{
    Code, Status,
    body::Body,
    server::{Grpc, NamedService, UnaryService},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;
use tower_service::Service;

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
/// A request of this id is never answered.
pub(crate) const STUCK: &str = "stuck";
/// A request of this id is answered with [`LARGE_BYTES`].
pub(crate) const LARGE: &str = "large";
pub(crate) const LARGE_BYTES: usize = 200_000;

/// Answers with the id of the request.
#[derive(Clone)]
struct Model;

impl NamedService for Model {
    const NAME: &'static str = "inference.GRPCInferenceService";
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl UnaryService<ModelInferRequest> for Model {
    type Response = ModelInferResponse;
    type Future = Answer<tonic::Response<ModelInferResponse>, Status>;

    fn call(&mut self, request: tonic::Request<ModelInferRequest>) -> Self::Future {
        let id = request.into_inner().id;
        Box::pin(async move {
            if id == STUCK {
                std::future::pending::<()>().await;
            }
            let id = if id == LARGE {
                "x".repeat(LARGE_BYTES)
            } else {
                id
            };
            let answer = ModelInferResponse {
                id,
                ..Default::default()
            };
            Ok(tonic::Response::new(answer))
        })
    }
}

impl Service<Request<Body>> for Model {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async {
            let codec = ProstCodec::<ModelInferResponse, ModelInferRequest>::default();
            let mut grpc = Grpc::new(codec)
                .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
                .apply_max_message_size_config(Some(usize::MAX), Some(usize::MAX));
            Ok(grpc.unary(Self, request).await)
        })
    }
}

/// Limits that are reached soon.
pub(crate) fn limits() -> Limits {
    Limits {
        memory_budget: 64 << 20,
        max_message_bytes: 4 << 20,
        max_concurrent_requests: 8,
        read_timeout: Duration::from_millis(500),
        send_timeout: Duration::from_millis(500),
        ..Limits::default()
    }
}

/// Serves the model on free ports.
pub(crate) async fn start(limits: Limits) -> Running<ServingError> {
    Running::start(|listeners, shutdown| async {
        let services = &[Model::NAME];
        let server = Server::new(services, DESCRIPTORS, Registry::new(), limits).await?;
        let in_progress = IntGauge::new("in_progress", "Calls.")?;
        let gate = server.gate(&["ModelInfer"], in_progress, |_| {}).unwrap();
        let router = server.router()?.add_service(gate.guard(Model));
        server.run(router, listeners, shutdown).await
    })
    .await
}

/// A connection whose reader grants this window to each answer.
pub(crate) async fn connect(address: &str, window: u32) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let endpoint = endpoint.initial_stream_window_size(window);
    endpoint.connect().await.unwrap()
}

/// The prefix of a message of this length.
pub(crate) fn prefix(flag: u8, length: u32) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(flag);
    bytes.put_u32(length);
    bytes.freeze()
}

/// A message with its prefix.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    [&prefix(flag, length)[..], message].concat().into()
}

/// A request of this id.
pub(crate) fn named(id: &str) -> Bytes {
    let request = ModelInferRequest {
        id: id.to_owned(),
        ..Default::default()
    };
    framed(0, &request.encode_to_vec())
}

/// Sends pieces of a body and does not end it.
pub(crate) fn endless(pieces: Vec<Bytes>) -> Body {
    let pieces = futures::stream::iter(pieces).map_frames();
    let never = futures::stream::pending();
    Body::new(StreamBody::new(futures::StreamExt::chain(pieces, never)))
}

/// Sends pieces of a body and ends it.
pub(crate) fn pieces(pieces: Vec<Bytes>) -> Body {
    Body::new(StreamBody::new(futures::stream::iter(pieces).map_frames()))
}

trait MapFrames: futures::Stream<Item = Bytes> + Sized {
    fn map_frames(self) -> impl futures::Stream<Item = Result<http_body::Frame<Bytes>, Status>> {
        futures::StreamExt::map(self, |bytes| Ok(http_body::Frame::data(bytes)))
    }
}

impl<S: futures::Stream<Item = Bytes>> MapFrames for S {}

/// What a call was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: Status,
    /// The header that lists the encodings which the server knows.
    pub(crate) encodings: Option<String>,
    pub(crate) message: Bytes,
}

impl Answered {
    pub(crate) fn code(&self) -> Code {
        self.status.code()
    }

    pub(crate) fn reason(&self) -> String {
        let info = self.status.get_details_error_info();
        info.unwrap_or_else(|| panic!("no reason in {self:?}"))
            .reason
    }
}

/// Calls ModelInfer with this body. An error is one of the transport.
pub(crate) async fn call(
    channel: &Channel,
    headers: &[(&'static str, &'static str)],
    body: Body,
) -> Result<Answered, tonic::transport::Error> {
    let mut channel = channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context)).await?;
    let mut request = Request::builder()
        .method("POST")
        .uri(INFER)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = channel.call(request.body(body).unwrap()).await?;
    let (parts, body) = response.into_parts();
    let (message, trailers) = match body.collect().await {
        Ok(body) => {
            let trailers = body.trailers().cloned();
            (body.to_bytes(), trailers)
        }
        // The connection was closed within the answer.
        Err(status) => (
            Bytes::new(),
            Some(status.into_http::<()>().headers().clone()),
        ),
    };
    let status = |headers: &HeaderMap| Status::from_header_map(headers);
    Ok(Answered {
        status: status(&parts.headers)
            .or_else(|| status(&trailers.unwrap_or_default()))
            .unwrap_or_else(|| panic!("no status")),
        encodings: parts
            .headers
            .get("grpc-accept-encoding")
            .map(|value| value.to_str().unwrap().to_owned()),
        message,
    })
}

/// Calls with this id; true when the answer has it.
pub(crate) async fn answers(channel: &Channel, id: &str) -> bool {
    let answered = call(
        channel,
        &[],
        Body::new(http_body_util::Full::new(named(id))),
    )
    .await;
    let answered = answered.unwrap();
    answered.code() == Code::Ok && answered.message.ends_with(id.as_bytes())
}

/// The value of a metric; 0 when it is not there.
pub(crate) async fn metric(server: &Running<ServingError>, name: &str) -> f64 {
    let text = server.http("/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |value| value.trim().parse().unwrap())
}
