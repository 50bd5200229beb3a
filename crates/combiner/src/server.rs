//! Puts the parts together, serves them, and stops without dropping a request.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use counterweight_proto::{
    DESCRIPTORS,
    counterweight::v1::{
        ranking_service_server::RankingServiceServer, weights_service_server::WeightsServiceServer,
    },
};
use counterweight_telemetry::serve_http;
use tokio::{join, net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{
        Server,
        server::{Router, TcpIncoming},
    },
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    admission::Gate,
    config::Config,
    engine::Engine,
    error::CombinerError,
    served,
    wire::{ranking::Ranker, weights::WeightsApi},
};

/// Wide enough for thousands of candidates in one flight.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// One frame for a whole usual request: fewer reads and wake-ups than the default of 16 KiB.
const MAX_FRAME: u32 = 1 << 20;
/// Far above any limit on requests, so that it is the gate that answers an overload and not a queue in the client.
const MAX_STREAMS: u32 = 1 << 16;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Pauses between attempts to reach a model that was never reached.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between looks at what the models are.
const MODEL_WATCH: Duration = Duration::from_secs(1);
/// The ranking service's name in `grpc.health.v1`.
const RANKING: &str = "counterweight.v1.RankingService";
const WEIGHTS: &str = "counterweight.v1.WeightsService";

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// Of the gRPC services.
    pub grpc: TcpListener,
    /// Of `/metrics` and `/healthz`; none means not at all.
    pub metrics: Option<TcpListener>,
}

/// Serves a combiner until `shutdown` resolves and the requests in flight are answered, or [`crate::config::Limits::drain`] is over.
///
/// Models need not be up: until one has been reached, ranking by it answers UNAVAILABLE with the reason, and
/// `grpc.health.v1` says NOT_SERVING for `counterweight.v1.RankingService`; the server as a whole is SERVING.
///
/// # Errors
/// The weights store can not be opened, or a listener broke.
pub async fn serve(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), CombinerError> {
    let engine = Arc::new(Engine::open(Arc::new(config)).await?);
    let draining = CancellationToken::new();
    let stopped = CancellationToken::new();
    let (health, router) = router(&engine, &draining)?;
    health
        .set_service_status(WEIGHTS, ServingStatus::Serving)
        .await;
    health
        .set_service_status(RANKING, ServingStatus::NotServing)
        .await;
    let reaching = tokio::spawn(reach_models(Arc::clone(&engine), health.clone()));
    let weights = Arc::clone(&engine.weights);
    let following = tokio::spawn(async move { join!(weights.follow(), weights.run_ramps()) });
    let watching = tokio::spawn(watch_models(Arc::clone(&engine)));
    let metrics = serve_metrics(&engine, listeners.metrics, &draining, &stopped);

    let incoming = TcpIncoming::from(listeners.grpc).with_nodelay(Some(true));
    let closing = draining.clone();
    let serving =
        router.serve_with_incoming_shutdown(incoming, async move { closing.cancelled().await });
    tokio::pin!(serving);
    let outcome = tokio::select! {
        outcome = &mut serving => outcome,
        () = shutdown => {
            reaching.abort();
            for service in ["", RANKING, WEIGHTS] {
                health.set_service_status(service, ServingStatus::NotServing).await;
            }
            draining.cancel();
            let limit = engine.config.limits.drain;
            timeout(limit, &mut serving).await.unwrap_or_else(|_| {
                tracing::warn!(seconds = limit.as_secs(), "requests were still in flight when the time to drain was over");
                Ok(())
            })
        }
    };
    reaching.abort();
    following.abort();
    watching.abort();
    engine.weights.close().await;
    if let Some(recent) = &engine.recent {
        recent.close().await;
    }
    draining.cancel();
    stopped.cancel();
    if let Some(metrics) = metrics {
        // A scraper that holds its connection open does not hold up the stop.
        let _ = timeout(FIRST_PAUSE, metrics).await;
    }
    outcome.map_err(|error| CombinerError::Serve {
        what: "the gRPC server",
        reason: error.to_string(),
    })
}

fn router(
    engine: &Arc<Engine>,
    draining: &CancellationToken,
) -> Result<(HealthReporter, Router), CombinerError> {
    let limits = &engine.config.limits;
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let broken = |error: tonic_reflection::server::Error| CombinerError::Internal {
        what: format!("reflection: {error}"),
    };
    let ranking = RankingServiceServer::new(Ranker(Arc::clone(engine)))
        .max_decoding_message_size(limits.max_message_bytes)
        .max_encoding_message_size(limits.max_message_bytes);
    let gate = Gate::new(
        limits.max_concurrent_requests,
        engine.metrics.overloaded.clone(),
        draining.clone(),
    );
    let weights = WeightsApi {
        engine: Arc::clone(engine),
        draining: draining.clone(),
    };
    let router = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .add_service(InterceptedService::new(ranking, gate))
        .add_service(WeightsServiceServer::new(weights))
        .add_service(health_service)
        .add_service(reflection().build_v1().map_err(broken)?)
        .add_service(reflection().build_v1alpha().map_err(broken)?);
    Ok((health, router))
}

/// Asks every model what it takes, until all have said so; then the ranking service is healthy.
async fn reach_models(engine: Arc<Engine>, health: HealthReporter) {
    let mut pause = FIRST_PAUSE;
    for model in engine.objectives.models() {
        let mut told = false;
        while let Err(failure) = model.refresh(Instant::now() + LONGEST_PAUSE).await {
            if !told {
                tracing::warn!(model = model.name(), %failure, "the model can not be reached yet; ranking by it fails until it can");
                told = true;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    tracing::info!("every model has been reached");
    health
        .set_service_status(RANKING, ServingStatus::Serving)
        .await;
}

/// Notices models that were replaced although nobody ranks: says in the metrics where weights are not confirmed for what
/// is served, and keeps what held versions take at hand.
async fn watch_models(engine: Arc<Engine>) {
    loop {
        let served = served::served(&engine.objectives).await;
        let (_, profiles) = engine.weights.all();
        for (profile, in_force) in profiles.iter().enumerate() {
            let configured = &engine.config.profiles[profile];
            let unconfirmed = served::unconfirmed(configured, in_force, &served);
            engine
                .metrics
                .unconfirmed(&configured.name, unconfirmed.len());
            // A version that is gone is for Rank to say.
            let state = in_force.state();
            let (config, objectives) = (&engine.config, &engine.objectives);
            let _ = served::check_restorable(config, objectives, profile, &state).await;
        }
        tokio::time::sleep(MODEL_WATCH).await;
    }
}

fn serve_metrics(
    engine: &Arc<Engine>,
    listener: Option<TcpListener>,
    draining: &CancellationToken,
    stopped: &CancellationToken,
) -> Option<JoinHandle<()>> {
    let listener = listener?;
    let registry = engine.metrics.registry.clone();
    let (draining, stopped) = (draining.clone(), stopped.clone());
    let health = move || {
        if draining.is_cancelled() {
            Err("draining".to_owned())
        } else {
            Ok(())
        }
    };
    Some(tokio::spawn(async move {
        if let Err(error) = serve_http(listener, registry, health, async move {
            stopped.cancelled().await;
        })
        .await
        {
            tracing::error!(%error, "the metrics listener stopped");
        }
    }))
}
