//! Everything that can go wrong between a server's start and its stop.

use std::io;

/// Why a server did not start, or why it stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; choose another address, or port 0 for a free one"
    )]
    Bind {
        /// The address as it was given.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The log filter cannot be parsed.
    #[error(
        "{variable}={value:?} is not a valid log filter ({reason}): write for example \"info\" or \
         \"warn,counterweight_combiner=debug\""
    )]
    LogFilter {
        /// The environment variable that holds the filter.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The parser's message.
        reason: String,
    },
    /// Logging was started twice.
    #[error("logging was already started in this process")]
    LoggingStarted,
    /// The exporter of spans cannot be set up.
    #[error("cannot export spans to {endpoint:?}: {reason}; use for example http://localhost:4317")]
    Otlp {
        /// The collector's address.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// A limit is out of its range.
    #[error("the limit {limit} {problem}")]
    Limit {
        /// Its name.
        limit: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The descriptors of the services cannot be used.
    #[error("cannot read the contracts of the services: {0}")]
    Contracts(#[from] counterweight_proto::ShapeError),
    /// A metric cannot be registered.
    #[error("cannot register a metric: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The reflection service cannot be built.
    #[error("cannot build the reflection service: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The gRPC transport failed.
    #[error("the gRPC transport failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// A background task that the server cannot do without has ended.
    #[error("the background task \"{task}\" ended: {reason}")]
    TaskEnded {
        /// Name of the task.
        task: &'static str,
        /// Its error, or the message of its panic.
        reason: String,
    },
}
