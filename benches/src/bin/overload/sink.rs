//! A server that answers every request with the same bytes and does nothing else: what it is sent
//! shows how fast the generator can be.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::Ipv4Addr,
};

use anyhow::Result;
use counterweight_benches::program::print;
use counterweight_proto::{
    counterweight::v1::{RankResponse, RankedCandidate},
    inference::{ModelInferResponse, model_infer_response::InferOutputTensor},
};
use prost::Message;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Context, Poll, Service, http},
    server::{Grpc, NamedService, UnaryService},
    transport::server::{Server, TcpIncoming},
};
use tonic_prost::ProstCodec;

use crate::PAGE;

/// Prints its address, and serves until it is killed.
pub(crate) async fn serve() -> Result<bool> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    print(&listener.local_addr()?.to_string());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .max_frame_size(1 << 20)
        .add_service(Canned(RankResponse {
            candidates: vec![RankedCandidate::default(); PAGE as usize],
            ..RankResponse::default()
        }))
        .add_service(Canned(ModelInferResponse {
            outputs: vec![InferOutputTensor::default()],
            ..ModelInferResponse::default()
        }))
        .serve_with_incoming(incoming)
        .await?;
    Ok(true)
}

/// A service that answers every request with this.
#[derive(Clone)]
struct Canned<T>(T);

impl NamedService for Canned<RankResponse> {
    const NAME: &'static str = "counterweight.v1.RankingService";
}

impl NamedService for Canned<ModelInferResponse> {
    const NAME: &'static str = "inference.GRPCInferenceService";
}

/// The request is read into `()`, which skips its fields.
impl<T: Clone> UnaryService<()> for Canned<T> {
    type Response = T;
    type Future = Ready<Result<Response<T>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}

impl<T: Message + Clone + 'static> Service<http::Request<Body>> for Canned<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (codec, service) = (ProstCodec::<T, ()>::default(), self.clone());
        Box::pin(async move { Ok(Grpc::new(codec).unary(service, request).await) })
    }
}
