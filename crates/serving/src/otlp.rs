//! Exports spans to an OpenTelemetry collector over OTLP, and joins them to the traces of callers.
//!
//! `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and the other variables
//! of the OpenTelemetry specification are honoured.

use opentelemetry::{
    Context,
    trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        TracerProvider as _,
    },
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{
    ServingError,
    trace::{SPAN_TARGET, TraceContext},
};

/// Spans are exported under this name unless `OTEL_SERVICE_NAME` sets another.
const SERVICE_NAME: &str = "counterweight";

/// Connects to the collector at `endpoint` when the first spans are exported.
pub(crate) fn provider(endpoint: &str) -> Result<SdkTracerProvider, ServingError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| ServingError::Otlp {
            endpoint: endpoint.to_owned(),
            reason: error.to_string(),
        })?;
    let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => Resource::builder().build(),
        None => Resource::builder().with_service_name(SERVICE_NAME).build(),
    };
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// Gives our spans, and no others, to the exporter.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("counterweight"))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(|metadata| metadata.target() == SPAN_TARGET))
}

/// Puts a span below its parent, and returns its own place in the trace; `None` when it is not
/// recorded.
pub(crate) fn join_trace(span: &Span, parent: Option<&TraceContext>) -> Option<TraceContext> {
    if span.is_disabled() {
        return None;
    }
    if let Some(parent) = parent {
        let parent = Context::new().with_remote_span_context(span_context(parent));
        // It fails only for a span that no exporter records.
        span.set_parent(parent).ok()?;
    }
    let context = span.context();
    let own = context.span().span_context().clone();
    own.is_valid().then(|| {
        TraceContext::new(
            own.trace_id().to_bytes(),
            own.span_id().to_bytes(),
            own.trace_flags().to_u8(),
            Some(own.trace_state().header()).filter(|state| !state.is_empty()),
        )
    })
}

fn span_context(trace: &TraceContext) -> SpanContext {
    let (trace_id, span_id, flags, state) = trace.parts();
    let state = state.and_then(|state| state.parse::<TraceState>().ok());
    SpanContext::new(
        TraceId::from_bytes(trace_id),
        SpanId::from_bytes(span_id),
        TraceFlags::new(flags),
        true,
        state.unwrap_or_default(),
    )
}
