//! What happens to a call before its body is read: a call that cannot be answered in time is refused,
//! and a call whose deadline passes is ended.
//!
//! The gate stands in front of the generated service and sees a call when its headers arrive. The
//! service sees it only when a thread has time for it, which under overload is too late.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, ready},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    mem::replace,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::available_parallelism,
};

use http::{Extensions, HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use prometheus::{IntCounterVec, IntGauge, Registry};
use tokio::time::timeout_at;
use tonic::{
    Code, Status, body::Body, metadata::MetadataMap, server::NamedService,
    transport::server::TcpConnectInfo,
};
use tonic_types::StatusExt as _;
use tower_service::Service;
use tracing::Instrument as _;

use crate::{
    Call, Lifecycle, Register, ServingError, TraceContext,
    lifecycle::InProgress,
    limiter::{Limiter, Outcome},
    refusal::{OVERLOADED, Refusal},
    spans,
};

/// The gate in front of a server's services: one limit, one lifecycle. Clones share both.
#[derive(Clone)]
pub struct Gate {
    lifecycle: Lifecycle,
    limiter: Limiter,
    limited: &'static [&'static str],
    refusals: IntCounterVec,
    refused: Arc<dyn Fn(Refusal) + Send + Sync>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gate")
            .field("limited", &self.limited)
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate that lets at most `most` calls of the `limited` methods in, those that wait for their
    /// turn included. Other methods are not counted, so that health is answered under overload.
    /// `in_progress` shows how many limited calls are in progress, and `refused` hears of every
    /// limited call that is refused.
    ///
    /// # Errors
    /// A metric cannot be registered.
    pub fn new(
        lifecycle: &Lifecycle,
        registry: &Registry,
        most: usize,
        limited: &'static [&'static str],
        in_progress: IntGauge,
        refused: impl Fn(Refusal) + Send + Sync + 'static,
    ) -> Result<Self, ServingError> {
        // Fewer would leave a core without work.
        let cores = available_parallelism().map_or(1, usize::from);
        Ok(Self {
            lifecycle: lifecycle.clone(),
            limiter: Limiter::new(cores, most, in_progress, registry)?,
            limited,
            refusals: Register(registry).counters(
                "counterweight_requests_refused_total",
                "Requests that were refused or given up before they were answered, by reason.",
                &["reason"],
            )?,
            refused: Arc::new(refused),
        })
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

    fn refuse(&self, refusal: Refusal, limited: bool) -> Response<Body> {
        let refusal = match refusal {
            // Another server will answer; to come back here would be of no use.
            Refusal::Overloaded { .. } if self.lifecycle.is_draining() => Refusal::Draining,
            refusal => refusal,
        };
        if limited {
            self.refusals.with_label_values(&[refusal.reason()]).inc();
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
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gate = self.gate.clone();
        let limited = gate.is_limited(request.uri().path());
        let Some(in_progress) = gate.lifecycle.begin_call() else {
            return Box::pin(ready(Ok(gate.refuse(Refusal::Draining, limited))));
        };
        let (mut parts, body) = request.into_parts();
        let connection = connection_of(&parts.extensions);
        let metadata = MetadataMap::from_headers(parts.headers);
        let caller = TraceContext::parse(&metadata);
        let (span, trace) = spans::serve(parts.uri.path(), caller);
        let call = Call::new(&metadata, trace).on_connection(connection);
        if limited && let Err(refusal) = gate.limiter.could_admit(call.deadline, connection) {
            spans::record(&span, refusal.code());
            return Box::pin(ready(Ok(gate.refuse(refusal, limited))));
        }
        // The clone takes the place of the service that is ready.
        let clone = self.service.clone();
        let service = replace(&mut self.service, clone);
        parts.headers = metadata.into_headers();
        let request = Request::from_parts(parts, body);
        Box::pin(async move {
            let answer = gate.answer(service, request, call, limited);
            let response = answer.instrument(span.clone()).await;
            spans::record(&span, code_of(&response));
            Ok(response.map(|body| {
                Body::new(Tracked {
                    body,
                    _in_progress: in_progress,
                })
            }))
        })
    }
}

impl Gate {
    /// Lets a call in when it is its turn, and answers it or says why not.
    async fn answer<S>(
        &self,
        mut service: S,
        mut request: Request<Body>,
        call: Call,
        limited: bool,
    ) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        let deadline = call.deadline;
        // Held here too, in case the service drops the request before it has answered.
        let place = match limited {
            true => match self.limiter.acquire(deadline, call.connection).await {
                Ok(place) => Some(Arc::new(place)),
                Err(refusal) => return self.refuse(refusal, limited),
            },
            false => None,
        };
        request
            .extensions_mut()
            .insert(call.with_place(place.clone()));
        let answer = service.call(request);
        let (response, outcome) = match deadline {
            None => admitted(answer.await),
            Some(deadline) => match timeout_at(deadline.into(), answer).await {
                Ok(answer) => admitted(answer),
                Err(_) => (
                    self.refuse(Refusal::DeadlineExceeded, limited),
                    Outcome::Late,
                ),
            },
        };
        if let Some(place) = place {
            place.end(outcome);
        }
        response
    }
}

/// What the limiter learns from an answer.
fn admitted(answer: Result<Response<Body>, Infallible>) -> (Response<Body>, Outcome) {
    let response = match answer {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let outcome = match code_of(&response) {
        Code::DeadlineExceeded => Outcome::Late,
        Code::ResourceExhausted if is_overload(response.headers()) => Outcome::Overloaded,
        _ => Outcome::Answered,
    };
    (response, outcome)
}

/// True for a call that a server behind this one refused because of overload. A call that is
/// refused because it asks for too much says nothing about the others.
fn is_overload(headers: &HeaderMap) -> bool {
    let info = Status::from_header_map(headers).and_then(|status| status.get_details_error_info());
    info.is_some_and(|info| info.reason == OVERLOADED)
}

/// A number for the connection on which a request came.
fn connection_of(extensions: &Extensions) -> u64 {
    let peer = extensions.get::<TcpConnectInfo>();
    let mut hasher = DefaultHasher::new();
    peer.and_then(TcpConnectInfo::remote_addr).hash(&mut hasher);
    hasher.finish()
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
            .header("grpc-timeout", "100m")
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
        let heard = move |refusal: Refusal| heard.lock().unwrap().push(refusal.code());
        let registry = Registry::new();
        let gate = Gate::new(&lifecycle, &registry, 1, &["Work"], gauge.clone(), heard).unwrap();
        let mut service = gate.guard(Silent);
        let mut first = service.call(call("Work"));
        assert!(futures::poll!(&mut first).is_pending());
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
                Code::ResourceExhausted,
                Code::DeadlineExceeded,
                Code::Unavailable
            ]
        );
        let refusals = gate.refusals.with_label_values(&["OVERLOADED"]);
        assert_eq!(refusals.get(), 1);
    }

    #[tokio::test]
    async fn a_draining_server_says_so_and_not_that_it_is_overloaded() {
        let lifecycle = Lifecycle::default();
        let gauge = IntGauge::new("in_progress", "Calls.").unwrap();
        let registry = Registry::new();
        let gate = Gate::new(&lifecycle, &registry, 1, &["Work"], gauge, |_| {}).unwrap();
        let mut service = gate.guard(Silent);
        let mut first = service.call(call("Work"));
        assert!(futures::poll!(&mut first).is_pending());
        lifecycle.drain();
        let second = service.call(call("Work")).await.unwrap();
        assert_eq!(code(&second), (Code::Unavailable as i32).to_string());
    }

    #[test]
    fn only_the_overload_of_a_server_behind_counts_as_overload() {
        let outcome = |status: Status| admitted(Ok(status.into_http())).1;
        let overloaded = Refusal::Overloaded {
            retry_after: std::time::Duration::from_millis(20),
        };
        assert_eq!(outcome(overloaded.into()), Outcome::Overloaded);
        let too_large = crate::status(Code::ResourceExhausted, "too large", "TOO_LARGE", []);
        assert_eq!(outcome(too_large), Outcome::Answered);
        assert_eq!(outcome(Refusal::DeadlineExceeded.into()), Outcome::Late);
        assert_eq!(outcome(Status::not_found("no")), Outcome::Answered);
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let retry_after = std::time::Duration::from_millis(20);
        let status = Status::from(Refusal::Overloaded { retry_after });
        let retry = status.get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(retry_after));
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "OVERLOADED"
        );
    }
}
