//! A unary call whose one message is sent in one piece.
//!
//! tonic encodes a message only after the call's headers are on their way, and ends the stream by
//! its own empty frame: three writes, and the peer is woken for each. Here the body is
//! complete before the call begins, so that the message and the end of the stream leave in one
//! write.

use std::{
    error::Error,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;
use tower_service::Service;

/// A channel for unary calls; a stream of requests would be held back until it ends.
#[derive(Debug, Clone)]
pub struct Unary<S>(pub S);

/// Why a call could not be made: the channel's error, or the [`tonic::Status`] of a message that
/// could not be encoded.
pub type UnaryError = Box<dyn Error + Send + Sync>;

impl<S> Service<http::Request<Body>> for Unary<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Error: Into<UnaryError>,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = UnaryError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, UnaryError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), UnaryError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let unready = self.0.clone();
        let mut ready = mem::replace(&mut self.0, unready);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let message = body.collect().await?.to_bytes();
            let request = http::Request::from_parts(parts, Body::new(Full::new(message)));
            ready.call(request).await.map_err(Into::into)
        })
    }
}
