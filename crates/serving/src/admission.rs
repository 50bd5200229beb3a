//! What happens to a call before its body is read: too many at once are refused, and a call whose
//! deadline passes is ended.
//!
//! The gate stands in front of the generated service and sees a call when its headers arrive. The
//! service sees it only when a thread has time for it, which under overload is too late.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Frame, SizeHint};
use prometheus::IntGauge;
use tokio::sync::Semaphore;
use tonic::{Code, Status, body::Body, metadata::MetadataMap, server::NamedService};
use tower_service::Service;
use tracing::Instrument as _;

use crate::{
    Call, Lifecycle, TraceContext,
    lifecycle::{InProgress, Place},
    spans, status,
};

/// Why the gate ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// As many calls are in progress as the limit allows.
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// The server is stopping.
    Draining,
    /// The caller's deadline has passed.
    DeadlineExceeded,
}

impl Refusal {
    /// The gRPC code of the answer.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Overloaded { .. } => Code::ResourceExhausted,
            Self::Draining => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = refusal.code();
        match refusal {
            Refusal::Overloaded { limit } => status(
                code,
                &format!("{limit} requests are in progress, which is the limit; retry later"),
                "OVERLOADED",
                [("limit", limit.to_string())],
            ),
            Refusal::Draining => status(
                code,
                "the server is stopping; retry at another one",
                "DRAINING",
                [],
            ),
            Refusal::DeadlineExceeded => status(
                code,
                "the deadline of the call passed before the answer was ready",
                "DEADLINE_EXCEEDED",
                [],
            ),
        }
    }
}

/// The gate in front of a server's services: one limit, one lifecycle. Clones share both.
#[derive(Clone)]
pub struct Gate {
    lifecycle: Lifecycle,
    places: Arc<Semaphore>,
    limit: usize,
    limited: &'static [&'static str],
    in_progress: IntGauge,
    refused: Arc<dyn Fn(Refusal) + Send + Sync>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gate")
            .field("limit", &self.limit)
            .field("limited", &self.limited)
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate that lets at most `limit` calls of the `limited` methods in at once. Other methods
    /// are not counted, so that health is answered under overload. `in_progress` shows how many
    /// limited calls are in progress, and `refused` hears of every limited call that is refused.
    pub fn new(
        lifecycle: &Lifecycle,
        limit: usize,
        limited: &'static [&'static str],
        in_progress: IntGauge,
        refused: impl Fn(Refusal) + Send + Sync + 'static,
    ) -> Self {
        Self {
            lifecycle: lifecycle.clone(),
            places: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            limit,
            limited,
            in_progress,
            refused: Arc::new(refused),
        }
    }

    /// Puts a service behind the gate.
    pub fn guard<S>(&self, service: S) -> Gated<S> {
        Gated {
            service,
            gate: self.clone(),
        }
    }

    fn is_limited(&self, path: &str) -> bool {
        let method = path.rsplit('/').next().unwrap_or_default();
        self.limited.contains(&method)
    }

    fn enter(&self) -> Result<Place, Refusal> {
        let permit = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Refusal::Overloaded { limit: self.limit })?;
        Ok(Place::new(permit, &self.in_progress))
    }

    /// Admits a call, or says why not.
    fn admit(&self, limited: bool) -> Result<(InProgress, Option<Arc<Place>>), Refusal> {
        let in_progress = self.lifecycle.begin_call().ok_or(Refusal::Draining)?;
        let place = match limited {
            true => Some(Arc::new(self.enter()?)),
            false => None,
        };
        Ok((in_progress, place))
    }

    fn refuse(&self, refusal: Refusal, limited: bool) -> Response<Body> {
        if limited {
            (self.refused)(refusal);
        }
        Status::from(refusal).into_http()
    }
}

/// A service behind a [`Gate`].
#[derive(Debug, Clone)]
pub struct Gated<S> {
    service: S,
    gate: Gate,
}

impl<S: NamedService> NamedService for Gated<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limited = self.gate.is_limited(request.uri().path());
        let (in_progress, place) = match self.gate.admit(limited) {
            Ok(admitted) => admitted,
            Err(refusal) => return Box::pin(ready(Ok(self.gate.refuse(refusal, limited)))),
        };
        let (mut parts, body) = request.into_parts();
        let metadata = MetadataMap::from_headers(parts.headers);
        let caller = TraceContext::parse(&metadata);
        let (span, trace) = spans::serve(parts.uri.path(), caller);
        let call = Call::new(&metadata, trace).with_place(place.clone());
        parts.headers = metadata.into_headers();
        let deadline = call.deadline;
        parts.extensions.insert(call);
        let answer = self.service.call(Request::from_parts(parts, body));
        let answer = answer.instrument(span.clone());
        let gate = self.gate.clone();
        Box::pin(async move {
            // Held here too, in case the service drops the request before it has answered.
            let _place = place;
            let answer = match deadline {
                None => answer.await,
                Some(deadline) => tokio::time::timeout_at(deadline.into(), answer)
                    .await
                    .unwrap_or_else(|_| Ok(gate.refuse(Refusal::DeadlineExceeded, limited))),
            };
            answer.map(|response| {
                spans::record(&span, code_of(&response));
                response.map(|body| {
                    Body::new(Tracked {
                        body,
                        _in_progress: in_progress,
                    })
                })
            })
        })
    }
}

/// The code of an answer: a failed unary call has it in its headers.
fn code_of(response: &Response<Body>) -> Code {
    let code = response.headers().get("grpc-status");
    code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// The body of an answer. The call is in progress until its last byte has been handed over.
struct Tracked {
    body: Body,
    _in_progress: InProgress,
}

impl http_body::Body for Tracked {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A service that accepts every request and never answers.
    #[derive(Clone)]
    struct Silent;

    impl Service<Request<Body>> for Silent {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Pending<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::pending()
        }
    }

    fn call(path: &str) -> Request<Body> {
        Request::builder()
            .uri(format!("/test.Service/{path}"))
            .header("grpc-timeout", "5m")
            .body(Body::empty())
            .unwrap()
    }

    fn code(response: &Response<Body>) -> String {
        let code = response.headers()["grpc-status"].to_str();
        code.unwrap().to_owned()
    }

    #[tokio::test]
    async fn calls_over_the_limit_or_the_deadline_are_refused_and_free_their_places() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lifecycle = Lifecycle::default();
        let gauge = IntGauge::new("in_progress", "Calls.").unwrap();
        let heard = Arc::clone(&seen);
        let gate = Gate::new(&lifecycle, 1, &["Work"], gauge.clone(), move |refusal| {
            heard.lock().unwrap().push(refusal);
        });
        let mut service = gate.guard(Silent);
        let first = service.call(call("Work"));
        assert_eq!(gauge.get(), 1);
        let second = service.call(call("Work")).await.unwrap();
        assert_eq!(code(&second), (Code::ResourceExhausted as i32).to_string());
        let unlimited = service.call(call("Live")).await.unwrap();
        for response in [first.await.unwrap(), unlimited] {
            assert_eq!(code(&response), (Code::DeadlineExceeded as i32).to_string());
        }
        assert_eq!(gauge.get(), 0);
        lifecycle.calls_ended().await;
        lifecycle.close();
        let late = service.call(call("Work")).await.unwrap();
        assert_eq!(code(&late), (Code::Unavailable as i32).to_string());
        assert_eq!(
            *seen.lock().unwrap(),
            [
                Refusal::Overloaded { limit: 1 },
                Refusal::DeadlineExceeded,
                Refusal::Draining
            ]
        );
    }
}
