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
        .add_service(Ranking)
        .add_service(Inference)
        .serve_with_incoming(incoming)
        .await?;
    Ok(true)
}

#[derive(Clone)]
struct Ranking;

impl NamedService for Ranking {
    const NAME: &'static str = "counterweight.v1.RankingService";
}

/// The request is read into `()`, which skips its fields.
impl UnaryService<()> for Ranking {
    type Response = RankResponse;
    type Future = Ready<Result<Response<RankResponse>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(RankResponse {
            candidates: vec![RankedCandidate::default(); PAGE as usize],
            ..RankResponse::default()
        })))
    }
}

impl Service<http::Request<Body>> for Ranking {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let codec = ProstCodec::<RankResponse, ()>::default();
        Box::pin(async move { Ok(Grpc::new(codec).unary(Ranking, request).await) })
    }
}

#[derive(Clone)]
struct Inference;

impl NamedService for Inference {
    const NAME: &'static str = "inference.GRPCInferenceService";
}

impl UnaryService<()> for Inference {
    type Response = ModelInferResponse;
    type Future = Ready<Result<Response<ModelInferResponse>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(ModelInferResponse {
            outputs: vec![InferOutputTensor::default()],
            ..ModelInferResponse::default()
        })))
    }
}

impl Service<http::Request<Body>> for Inference {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let codec = ProstCodec::<ModelInferResponse, ()>::default();
        Box::pin(async move { Ok(Grpc::new(codec).unary(Inference, request).await) })
    }
}
