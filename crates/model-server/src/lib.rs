//! Serves the artefacts of a model repository over the Open Inference Protocol, so that Triton's and KServe's clients,
//! and the combiner, ask our models as they would ask any other.
//!
//! [`serve`] is the whole server: one gRPC listener with `inference.GRPCInferenceService`, `grpc.health.v1` and reflection,
//! and, where asked, an HTTP listener with `/metrics` and `/healthz`. The path of a request is:
//! admission (load shedding, deadline) → repository (which version) → wire (tensors to columns) → model → wire.
//!
//! Every request holds the version that it started with until it has answered: loading, switching and unloading never
//! touch a request in flight, and no request ever waits for them.

mod admission;
mod config;
mod error;
mod infer;
mod listener;
mod metadata;
mod metrics;
mod repository;
mod served;
mod server;
mod service;
mod snapshot;
mod wire;

pub use config::ServerConfig;
pub use error::ModelServerError;
pub use listener::{Listener, Listeners};
pub use metadata::{CONTEXT_BROADCAST, EXTENSIONS, SERVER_NAME};
pub use server::serve;
