//! Serves the artefacts of a model repository over the Open Inference Protocol, so that the
//! combiner and the clients of Triton and KServe can call these models like any others.
//!
//! [`serve`] is the whole server: one gRPC listener with `inference.GRPCInferenceService`,
//! `grpc.health.v1` and reflection, and optionally an HTTP listener with `/metrics` and `/healthz`.
//! A request passes through the gate (overload, deadline) → the repository (which version) → wire
//! (tensors to columns) → the model → wire.
//!
//! A request uses the same version from its start until it is answered. Loading, switching and
//! unloading of versions do not affect requests in progress, and requests do not wait for them.

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
