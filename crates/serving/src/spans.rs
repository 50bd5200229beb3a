//! Spans: one for every RPC that is served, and one for every call to another server.
//!
//! They are at level DEBUG, so they cost nothing unless a subscriber asks for them: the OTLP
//! exporter, or a log filter such as `counterweight::spans=debug`. Names and attributes follow the
//! semantic conventions of OpenTelemetry for RPC.

use std::future::Future;

use tonic::{Code, Status, metadata::MetadataMap};
use tracing::{Instrument as _, Span, field::Empty};

#[cfg(feature = "otlp")]
use crate::otlp::join_trace;
use crate::trace::{SPAN_TARGET, TraceContext};

/// Starts the span of an RPC that is served, below the caller's span. `path` is `/service/method`.
pub(crate) fn serve(path: &str, caller: Option<TraceContext>) -> (Span, TraceContext) {
    let span = rpc_span("server", path.trim_start_matches('/'));
    let trace = join_trace(&span, caller.as_ref()).unwrap_or_else(|| match caller {
        Some(caller) => caller.child(),
        None => TraceContext::root(),
    });
    (span, trace)
}

/// Records how an RPC ended.
pub(crate) fn record(span: &Span, code: Code) {
    if span.is_disabled() {
        return;
    }
    span.record("rpc.grpc.status_code", code as i64);
    if code != Code::Ok {
        span.record("otel.status_code", "ERROR");
    }
}

/// A call to another server, as a span below the RPC in which it is made.
#[derive(Debug)]
pub struct OutgoingCall {
    span: Span,
    trace: TraceContext,
}

impl OutgoingCall {
    /// Starts the span of a call of `method`, which is `service/method`, in the trace of an RPC.
    #[must_use]
    pub fn begin(method: &'static str, rpc: &TraceContext) -> Self {
        let span = rpc_span("client", method);
        let trace = join_trace(&span, Some(rpc)).unwrap_or_else(|| rpc.child());
        Self { span, trace }
    }

    /// Writes the call's place in the trace into its metadata.
    pub fn inject(&self, metadata: &mut MetadataMap) {
        self.trace.inject(metadata);
    }

    /// Runs the call within its span, and records how it ended.
    ///
    /// # Errors
    /// The call's own.
    pub async fn run<T>(self, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let outcome = call.instrument(self.span.clone()).await;
        let code = outcome.as_ref().err().map_or(Code::Ok, Status::code);
        record(&self.span, code);
        outcome
    }
}

/// The span of an RPC named `service/method`, as its `server` or its `client` sees it.
fn rpc_span(kind: &str, name: &str) -> Span {
    let (service, method) = name.split_once('/').unwrap_or((name, ""));
    tracing::debug_span!(
        target: SPAN_TARGET,
        "rpc",
        otel.name = name,
        otel.kind = kind,
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
    )
}

/// Without an exporter a span has no ids: the caller's trace is continued as it is.
#[cfg(not(feature = "otlp"))]
fn join_trace(_: &Span, _: Option<&TraceContext>) -> Option<TraceContext> {
    None
}
