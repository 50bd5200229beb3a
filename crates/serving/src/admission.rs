//! What happens to a call before its service sees it: it is refused when the server is stopping, is
//! busy or is short of memory, and its message is received and checked; a call whose deadline passes
//! is ended.
//!
//! The gate stands in front of the generated service and sees a call when its headers arrive. The
//! service sees it only when its message is complete and a thread has time for it, which under
//! overload is too late.

#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    fmt,
    future::{Future, ready},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use counterweight_proto::Method;
use http::{HeaderMap, Request, Response, request::Parts};
use prometheus::IntGauge;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{timeout, timeout_at},
};
use tonic::{Code, Status, body::Body, metadata::MetadataMap, server::NamedService};
use tonic_types::StatusExt as _;
use tower_service::Service;
use tracing::Instrument as _;

use crate::{
    Call, ServingError, TraceContext,
    answer::Answer,
    budget::Charge,
    intake::{Bounds, Encoding, Message},
    lifecycle::InProgress,
    limiter::{Announced, Limiter, Outcome},
    peer::Peer,
    refusal::{OVERLOADED, Refusal},
    shared::Shared,
    spans,
    work_pool::cores,
};

/// What a call takes beside its message: its stream, its headers, its tasks.
const CALL_BYTES: usize = 8 << 10;

/// The gate in front of a server's services. Clones share everything.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// None where nothing is limited.
    limiter: Option<Limiter>,
    limited: &'static [&'static str],
    refused: Box<dyn Fn(&Refusal) + Send + Sync>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gate")
            .field("limited", &self.0.limited)
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate that limits the calls of the `limited` methods that are in progress or wait. Other
    /// methods are not counted, so that weights can be changed under overload. `in_progress` shows
    /// how many limited calls are in progress, and `refused` hears of every limited call that is
    /// refused.
    ///
    /// # Errors
    /// A metric cannot be registered.
    pub(crate) fn new(
        shared: Arc<Shared>,
        limited: &'static [&'static str],
        in_progress: IntGauge,
        refused: impl Fn(&Refusal) + Send + Sync + 'static,
    ) -> Result<Self, ServingError> {
        // Fewer would leave a core without work.
        let least = cores();
        let most = shared.limits.max_concurrent_requests;
        Ok(Self(Arc::new(Inner {
            limiter: Some(Limiter::new(least, most, in_progress, &shared.registry)?),
            shared,
            limited,
            refused: Box::new(refused),
        })))
    }

    /// A gate that limits no method.
    pub(crate) fn unlimited(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Inner {
            limiter: None,
            shared,
            limited: &[],
            refused: Box::new(|_| {}),
        }))
    }

    /// Puts a service behind the gate.
    pub fn guard<S>(&self, service: S) -> Gated<S> {
        Gated {
            service,
            gate: self.clone(),
            outlasts_drain: false,
        }
    }

    /// Puts a service behind the gate that answers to the last, such as health. A stop does not
    /// wait for its calls.
    pub(crate) fn guard_to_the_last<S>(&self, service: S) -> Gated<S> {
        Gated {
            outlasts_drain: true,
            ..self.guard(service)
        }
    }

    fn is_limited(&self, path: &str) -> bool {
        let method = path.rsplit('/').next().unwrap_or_default();
        self.0.limited.contains(&method)
    }

    /// What is decided when the headers of a call have arrived.
    fn admit(
        &self,
        parts: &mut Parts,
        call: &Call,
        limited: bool,
        outlasts_drain: bool,
    ) -> Result<Admitted, Refusal> {
        let shared = &self.0.shared;
        let in_progress = match outlasts_drain {
            true => None,
            false => Some(shared.lifecycle.begin_call().ok_or(Refusal::Draining)?),
        };
        let peer = parts.extensions.remove::<Peer>();
        let peer = peer.unwrap_or_else(|| shared.new_peer());
        let limiter = self.0.limiter.as_ref().filter(|_| limited);
        let announced = limiter
            .map(|limiter| limiter.announce(call.deadline, peer.id()))
            .transpose()?;
        let headers = peer.account().try_charge(CALL_BYTES);
        let method = shared.contracts.method(parts.uri.path());
        let streams = method.is_some_and(|method| method.client_streams || method.server_streams);
        Ok(Admitted {
            gate: self.clone(),
            limited,
            announced,
            method,
            stream: streams.then(|| self.open_stream()).transpose()?,
            in_progress,
            _headers: headers.ok_or(Refusal::OverMemoryBudget)?,
            peer,
        })
    }

    fn open_stream(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let shared = &self.0.shared;
        let limit = shared.limits.max_streams;
        Arc::clone(&shared.streams)
            .try_acquire_owned()
            .map_err(|_| Refusal::TooManyStreams { limit })
    }

    fn refuse(&self, refusal: &Refusal, limited: bool) -> Response<Body> {
        let shared = &self.0.shared;
        let refusal = match refusal {
            // Another server will answer; to come back here would be of no use.
            Refusal::Overloaded { .. } if shared.lifecycle.is_draining() => &Refusal::Draining,
            refusal => refusal,
        };
        if limited {
            (self.0.refused)(refusal);
        }
        shared.refuse(refusal).into_http()
    }
}

/// A service behind a [`Gate`].
#[derive(Debug, Clone)]
pub struct Gated<S> {
    service: S,
    gate: Gate,
    outlasts_drain: bool,
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
        let (mut parts, body) = request.into_parts();
        let metadata = MetadataMap::from_headers(parts.headers);
        let caller = TraceContext::parse(&metadata);
        let (span, trace) = spans::serve(parts.uri.path(), caller);
        let call = Call::new(&metadata, trace);
        parts.headers = metadata.into_headers();
        let limited = self.gate.is_limited(parts.uri.path());
        let admitted = self
            .gate
            .admit(&mut parts, &call, limited, self.outlasts_drain);
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let response = self.gate.refuse(&refusal, limited);
                spans::record(&span, code_of(&response));
                return Box::pin(ready(Ok(response)));
            }
        };
        let unready = self.service.clone();
        let service = mem::replace(&mut self.service, unready);
        Box::pin(async move {
            let serving = admitted.serve(service, call, parts, body);
            let response = serving.instrument(span.clone()).await;
            spans::record(&span, code_of(&response));
            Ok(response)
        })
    }
}

/// A call whose headers have been admitted.
struct Admitted {
    gate: Gate,
    limited: bool,
    /// `None` when the method is not limited, or once a place was asked for.
    announced: Option<Announced>,
    /// `None` when the service has no such method, which it then says itself.
    method: Option<Method>,
    peer: Peer,
    in_progress: Option<InProgress>,
    stream: Option<OwnedSemaphorePermit>,
    _headers: Charge,
}

impl Admitted {
    async fn serve<S>(mut self, service: S, call: Call, parts: Parts, body: Body) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        let deadline = call.deadline;
        let mut begun = None;
        let handled = self.handle(service, call, parts, body, &mut begun);
        let answer = match deadline {
            None => handled.await,
            Some(deadline) => timeout_at(deadline.into(), handled)
                .await
                .unwrap_or(Err(Refusal::DeadlineExceeded)),
        };
        if let Some(call) = begun {
            call.end(outcome_of(&answer));
        }
        let response = match answer {
            Ok(response) => response,
            Err(refusal) => self.gate.refuse(&refusal, self.limited),
        };
        response.map(|body| {
            Body::new(Answer {
                body,
                peer: self.peer,
                _in_progress: self.in_progress,
                _stream: self.stream,
            })
        })
    }

    /// Receives and checks the message, waits for a place, and lets the service answer. `begun` is
    /// the call from the moment at which the service has it.
    async fn handle<S>(
        &mut self,
        mut service: S,
        mut call: Call,
        mut parts: Parts,
        mut body: Body,
        begun: &mut Option<Call>,
    ) -> Result<Response<Body>, Refusal>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        // tonic itself refuses encodings that it does not know, and receives streams.
        let encoding = Encoding::from_headers(&parts.headers);
        let unary = self.method.filter(|method| !method.client_streams);
        if let (Some(method), Some(encoding)) = (unary, encoding) {
            let message = self.receive(body, encoding).await?;
            call = call.with_memory(self.check(&message, method)?);
            body = message.into_body(&mut parts.headers);
        }
        call = call.on_connection(self.peer.id());
        if let Some(announced) = self.announced.take() {
            call = call.with_place(announced.acquire().await?);
        }
        // Kept here too, in case the service drops the request before it has answered.
        *begun = Some(call.clone());
        parts.extensions.insert(call);
        let Ok(response) = service.call(Request::from_parts(parts, body)).await;
        Ok(response)
    }

    async fn receive(&self, body: Body, encoding: Encoding) -> Result<Message, Refusal> {
        let limit = self.gate.0.shared.limits.read_timeout;
        let receiving = Message::receive(body, encoding, self.bounds(), self.peer.account());
        timeout(limit, receiving)
            .await
            .unwrap_or(Err(Refusal::ReadTimeout { limit }))
    }

    fn check(&self, message: &Message, method: Method) -> Result<Charge, Refusal> {
        let contracts = &self.gate.0.shared.contracts;
        message.admit(contracts, method, self.bounds(), self.peer.account())
    }

    fn bounds(&self) -> Bounds {
        let limits = &self.gate.0.shared.limits;
        Bounds {
            max_message_bytes: limits.max_message_bytes,
            max_decoded_bytes: limits.max_decoded_bytes(),
        }
    }
}

/// What the limiter learns from the answer to a call that its service had. Nothing but the deadline
/// ends such a call with a refusal.
fn outcome_of(answer: &Result<Response<Body>, Refusal>) -> Outcome {
    let Ok(response) = answer else {
        return Outcome::Late;
    };
    match code_of(response) {
        Code::DeadlineExceeded => Outcome::Late,
        Code::ResourceExhausted if is_overload(response.headers()) => Outcome::Overloaded,
        _ => Outcome::Answered,
    }
}

/// True for a call that a server behind this one refused because of overload. A call that is
/// refused because it asks for too much says nothing about the others.
fn is_overload(headers: &HeaderMap) -> bool {
    let info = Status::from_header_map(headers).and_then(|status| status.get_details_error_info());
    info.is_some_and(|info| info.reason == OVERLOADED)
}

/// The code of an answer: a failed unary call has it in its headers.
fn code_of(response: &Response<Body>) -> Code {
    let code = response.headers().get("grpc-status");
    code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}
