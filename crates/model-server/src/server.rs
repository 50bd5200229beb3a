//! Builds the server from its repository, its service, and the parts that all servers share.

use std::{future::Future, sync::Arc, time::Duration};

use counterweight_proto::{
    DESCRIPTORS, inference::grpc_inference_service_server::GrpcInferenceServiceServer,
};
use counterweight_serving::{Listeners, Server, WorkPool, prometheus::Registry};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tonic::codec::CompressionEncoding::{Deflate, Gzip};

use crate::{
    ModelServerError, ServerConfig, metrics::Metrics, repository::Repository, service::Service,
};

/// The name of the inference service in `grpc.health.v1`.
const INFERENCE: &str = "inference.GRPCInferenceService";

/// Serves the repository until `shutdown` resolves, then drains. During a drain the health is
/// NOT_SERVING, requests are still accepted for the grace period, and requests in progress are
/// answered within the timeout.
///
/// All models are loaded before the first request is answered. The server starts even if an
/// artefact cannot be loaded: the index lists it as UNAVAILABLE with the reason. ServerReady is
/// false while a model has no version that can answer, unless the model was unloaded on request.
///
/// # Errors
/// [`ModelServerError`] if the repository cannot be read, a setting is out of range, or the
/// transport failed.
pub async fn serve(
    config: ServerConfig,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ModelServerError> {
    config.check()?;
    let registry = Registry::new();
    let metrics = Metrics::new(&registry)?;
    let limits = config.limits.clone();
    let mut server = Server::new(&[INFERENCE], DESCRIPTORS, registry, limits).await?;
    let refusals = metrics.clone();
    let gate = server.gate(&["ModelInfer"], metrics.in_flight.clone(), move |refusal| {
        refusals.failed("", "", refusal.code());
    })?;
    let repository = Arc::new(open(&config, metrics.clone()).await?);
    let polled = Arc::clone(&repository);
    server.tasks().restart("model repository", move || {
        poll(Arc::clone(&polled), config.poll_interval)
    });
    let service = Service {
        repository,
        metrics,
        lifecycle: server.lifecycle().clone(),
        work: WorkPool::new(config.limits.max_concurrent_requests)
            .map_err(ModelServerError::Threads)?,
        max_message_bytes: config.limits.max_message_bytes,
    };
    let service = GrpcInferenceServiceServer::new(service)
        .max_decoding_message_size(config.limits.max_message_bytes)
        .max_encoding_message_size(config.limits.max_message_bytes)
        .accept_compressed(Gzip)
        .accept_compressed(Deflate);
    let router = server.router()?.add_service(gate.guard(service));
    Ok(server.run(router, listeners, shutdown).await?)
}

async fn open(config: &ServerConfig, metrics: Metrics) -> Result<Repository, ModelServerError> {
    let (root, only) = (config.repository.clone(), config.models.clone());
    spawn_blocking(move || Repository::open(root, only, metrics)).await?
}

/// Looks for new versions, without an end. While the folder cannot be read, the loaded versions are
/// still served.
async fn poll(repository: Arc<Repository>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // the first tick is immediate, and everything has just been loaded
    loop {
        ticks.tick().await;
        let repository = Arc::clone(&repository);
        match spawn_blocking(move || repository.refresh()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot read the model repository"),
            Err(error) => tracing::error!(%error, "reading the model repository failed"),
        }
    }
}
