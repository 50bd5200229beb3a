//! Puts the server together, and takes it down without dropping a request.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use counterweight_proto::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use counterweight_telemetry::{prometheus::Registry, serve_http};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinSet, spawn_blocking},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{
    server::NamedService as _,
    transport::{
        Server,
        server::{Router, TcpIncoming},
    },
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    Listener, Listeners, ModelServerError, ServerConfig,
    admission::{Admission, Limit},
    metrics::Metrics,
    repository::Repository,
    service::Service,
};

/// Flow control: a whole usual request fits into the window of its stream, and several streams into the connection's.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// One frame for a whole usual request: fewer reads and wake-ups than the default of 16 KiB.
const MAX_FRAME: u32 = 1 << 20;
/// A peer that has vanished is noticed after this and as long again.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// For the last answers to leave after the last request has ended.
const FLUSH: Duration = Duration::from_millis(200);

/// Serves the repository until `shutdown` resolves, then drains: health says NOT_SERVING, requests are still taken for the grace,
/// those in flight get their answers within the timeout, and the server is gone.
///
/// All models are loaded before the first request is answered. A broken artefact does not keep the server from starting; it is
/// UNAVAILABLE in the index, with the reason, and ServerReady says false for a model that has no version at all.
///
/// # Errors
/// A repository that can not be read, a setting that makes no sense, or a transport that breaks.
pub async fn serve(
    config: ServerConfig,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ModelServerError> {
    if config.poll_interval.is_zero() {
        return Err(ModelServerError::Setting {
            setting: "poll_interval",
            expected: "above zero",
        });
    }
    let registry = Registry::new();
    let metrics = Metrics::new(&registry)?;
    let limit = Limit::new(config.max_in_flight)?;
    let draining = Arc::new(AtomicBool::new(false));
    let repository = Arc::new(open(&config, metrics.clone()).await?);

    let mut background = JoinSet::new();
    background.spawn(poll(Arc::clone(&repository), config.poll_interval));
    if let Some(listener) = listeners.metrics {
        background.spawn(serve_metrics(listener, registry, Arc::clone(&draining)));
    }

    let service = Service {
        repository,
        metrics: metrics.clone(),
        draining: Arc::clone(&draining),
    };
    let service = GrpcInferenceServiceServer::new(service)
        .max_decoding_message_size(config.max_message_bytes);
    let admission = Admission {
        inner: service,
        limit: limit.clone(),
        metrics,
    };
    let health = HealthReporter::new();
    let router = router(&config, admission, &health).await?;

    let (drained, grace_over) = oneshot::channel();
    let grace = config.drain_grace;
    let signal = async move {
        shutdown.await;
        tracing::info!("draining");
        draining.store(true, Ordering::Relaxed);
        set_health(&health, ServingStatus::NotServing).await;
        sleep(grace).await;
        let _ = drained.send(());
    };
    let overdue = async {
        // Connections that watch health never end by themselves, so the end of the requests is what counts.
        let _ = grace_over.await;
        if timeout(config.drain_timeout, limit.emptied())
            .await
            .is_err()
        {
            tracing::warn!(timeout = ?config.drain_timeout, "requests are still in flight; stopping without them");
        }
        sleep(FLUSH).await;
    };
    tokio::select! {
        ended = run(router, listeners.grpc, signal) => ended?,
        () = overdue => {}
    }
    tracing::info!("stopped");
    Ok(())
}

async fn open(config: &ServerConfig, metrics: Metrics) -> Result<Repository, ModelServerError> {
    let (root, only) = (config.repository.clone(), config.models.clone());
    spawn_blocking(move || Repository::open(root, only, metrics)).await?
}

type InferenceServer = Admission<GrpcInferenceServiceServer<Service>>;

async fn router(
    config: &ServerConfig,
    inference: InferenceServer,
    health: &HealthReporter,
) -> Result<Router, ModelServerError> {
    set_health(health, ServingStatus::Serving).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(counterweight_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(InferenceServer::NAME)
            .with_service_name(HEALTH_NAME)
    };
    let setup = |error: tonic_reflection::server::Error| ModelServerError::Setup {
        what: "reflection",
        problem: error.to_string(),
    };
    // More streams than are admitted, so that overload is answered and not queued out of sight in the client.
    let streams = u32::try_from(config.max_in_flight.saturating_mul(2).saturating_add(64))
        .unwrap_or(u32::MAX);
    Ok(Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        .max_concurrent_streams(streams)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(inference)
        .add_service(tonic_health::pb::health_server::HealthServer::new(
            tonic_health::server::HealthService::from_health_reporter(health.clone()),
        ))
        .add_service(reflection().build_v1().map_err(setup)?)
        .add_service(reflection().build_v1alpha().map_err(setup)?))
}

const HEALTH_NAME: &str = "grpc.health.v1.Health";

/// States the health of the whole server (the empty name) and of the inference service.
async fn set_health(health: &HealthReporter, status: ServingStatus) {
    health.set_service_status("", status).await;
    health
        .set_service_status(InferenceServer::NAME, status)
        .await;
}

async fn run(
    router: Router,
    listener: Listener,
    signal: impl Future<Output = ()>,
) -> Result<(), ModelServerError> {
    match listener {
        Listener::Tcp(listener) => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            router
                .serve_with_incoming_shutdown(incoming, signal)
                .await?;
        }
        Listener::Unix(listener, _file) => {
            router
                .serve_with_incoming_shutdown(UnixListenerStream::new(listener), signal)
                .await?;
        }
    }
    Ok(())
}

async fn serve_metrics(listener: TcpListener, registry: Registry, draining: Arc<AtomicBool>) {
    let health = move || {
        if draining.load(Ordering::Relaxed) {
            Err("draining".to_owned())
        } else {
            Ok(())
        }
    };
    if let Err(error) = serve_http(listener, registry, health, std::future::pending()).await {
        tracing::error!(%error, "the metrics listener broke");
    }
}

/// Looks for new versions for ever. What is served stays as it is while the folder can not be read.
async fn poll(repository: Arc<Repository>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // the first tick is at once, and all has just been loaded
    loop {
        ticks.tick().await;
        let repository = Arc::clone(&repository);
        match spawn_blocking(move || repository.refresh()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the repository can not be looked through"),
            Err(error) => tracing::error!(%error, "looking through the repository failed"),
        }
    }
}
