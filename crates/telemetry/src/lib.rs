//! What an operator sees of every server from the first day: structured logs, W3C trace context,
//! Prometheus metrics over HTTP, and a clean stop on SIGINT and SIGTERM.

mod http;
mod logging;
mod shutdown;
mod trace;

pub use http::serve_http;
pub use logging::{LoggingError, init_logging};
pub use shutdown::shutdown_signal;
pub use trace::TraceContext;

/// The metrics library in use, re-exported so that servers register into the same [`prometheus::Registry`].
pub use prometheus;

/// Registers a metric and gives back a handle that counts into it.
///
/// # Errors
/// As [`prometheus::Registry::register`]: the name is taken, or the metric says the wrong things of itself.
pub fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &prometheus::Registry,
    metric: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
