//! Serves the artefacts of a model repository over the Open Inference Protocol, so that the clients
//! of Triton and KServe, and the combiner, call our models as they would call any other.
//!
//! [`serve`] is the whole server: one gRPC listener with `inference.GRPCInferenceService`,
//! `grpc.health.v1` and reflection, and optionally an HTTP listener with `/metrics` and `/healthz`.
//! The path of a request is: gate (overload, deadline) → repository (which version) → wire (tensors
//! to columns) → model → wire.
//!
//! A request keeps the version that it started with until it is answered: loading, switching and
//! unloading never touch a request in progress, and no request ever waits for them.

mod config;
mod error;
mod infer;
mod loaded;
mod metadata;
mod metrics;
mod repository;
mod server;
mod service;
mod snapshot;
mod statistics;
mod wire;

pub use config::ServerConfig;
pub use counterweight_serving::{Listener, Listeners};
pub use error::ModelServerError;
pub use metadata::{CONTEXT_BROADCAST, EXTENSIONS, SERVER_NAME};
pub use server::serve;
