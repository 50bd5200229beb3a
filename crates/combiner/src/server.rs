//! Assembles the combiner from its engine, its services and the shared server.

use std::{
    future::{Future, pending},
    sync::Arc,
    time::{Duration, Instant},
};

use counterweight_proto::{
    DESCRIPTORS,
    counterweight::v1::{
        ranking_service_server::RankingServiceServer, weights_service_server::WeightsServiceServer,
    },
};
use counterweight_serving::{
    Condition, Drain, Gate, Listeners, Refusal, Server, ServingError, Tasks,
};
use tokio::time::sleep;
use tonic::codec::CompressionEncoding::{Deflate, Gzip};

use crate::{
    config::Config,
    engine::Engine,
    error::CombinerError,
    served,
    source::Model,
    wire::{ranking::Ranker, weights::WeightsApi},
};

/// Pauses between attempts to reach a model that was never reached.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often the combiner reads which versions the models serve.
const MODEL_WATCH: Duration = Duration::from_secs(1);
/// Names of the services in `grpc.health.v1`.
const RANKING: &str = "counterweight.v1.RankingService";
const WEIGHTS: &str = "counterweight.v1.WeightsService";

/// Serves a combiner until `shutdown` resolves and the requests in progress are answered, or until
/// [`crate::config::Limits::drain`] is over.
///
/// Models need not be up. Until one has been reached, ranking by it is answered UNAVAILABLE with
/// the reason, and health says NOT_SERVING for `counterweight.v1.RankingService`; the server as a
/// whole is SERVING.
///
/// # Errors
/// The weights store cannot be opened, or the server failed.
pub async fn serve(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), CombinerError> {
    let engine = Arc::new(Engine::open(Arc::new(config)).await?);
    let outcome = run(&engine, listeners, shutdown).await;
    engine.weights.close().await;
    if let Some(recent) = &engine.recent {
        recent.close().await;
    }
    outcome.map_err(|error| CombinerError::Serve {
        what: "the server",
        reason: error.to_string(),
    })
}

async fn run(
    engine: &Arc<Engine>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServingError> {
    let limits = &engine.config.limits;
    let metrics = &engine.metrics;
    let drain = Drain {
        grace: Duration::ZERO,
        timeout: limits.drain,
    };
    let mut server = Server::new(&[RANKING, WEIGHTS], metrics.registry.clone(), drain).await?;
    for model in engine.objectives.models() {
        let (model, reached) = (
            Arc::clone(model),
            Arc::new(server.health().condition(RANKING).await),
        );
        server.tasks().restart("reach a model", move || {
            reach(Arc::clone(&model), Arc::clone(&reached))
        });
    }
    start_tasks(server.tasks(), engine);
    let overloaded = metrics.overloaded.clone();
    let gate = Gate::new(
        server.lifecycle(),
        limits.max_concurrent_requests,
        &["Rank"],
        metrics.in_progress.clone(),
        move |refusal| {
            if let Refusal::Overloaded { .. } = refusal {
                overloaded.inc();
            }
        },
    );
    let ranking = RankingServiceServer::new(Ranker(Arc::clone(engine)))
        .max_decoding_message_size(limits.max_message_bytes)
        .max_encoding_message_size(limits.max_message_bytes)
        .accept_compressed(Gzip)
        .accept_compressed(Deflate);
    let weights = WeightsServiceServer::new(WeightsApi {
        engine: Arc::clone(engine),
        lifecycle: server.lifecycle().clone(),
    })
    .accept_compressed(Gzip)
    .accept_compressed(Deflate);
    let router = server
        .router(DESCRIPTORS)?
        .add_service(gate.guard(ranking))
        .add_service(gate.guard(weights));
    server.run(router, listeners, shutdown).await
}

fn start_tasks(tasks: &mut Tasks, engine: &Arc<Engine>) {
    let weights = Arc::clone(&engine.weights);
    tasks.restart("follow the weights", move || {
        let weights = Arc::clone(&weights);
        async move { weights.follow().await }
    });
    let weights = Arc::clone(&engine.weights);
    tasks.restart("run ramps", move || {
        let weights = Arc::clone(&weights);
        async move { weights.run_ramps().await }
    });
    let engine = Arc::clone(engine);
    tasks.restart("watch models", move || watch_models(Arc::clone(&engine)));
}

/// Asks a model for its inputs until it answers; after that, ranking no longer waits for it.
async fn reach(model: Arc<Model>, reached: Arc<Condition>) {
    let mut pause = FIRST_PAUSE;
    let mut warned = false;
    while let Err(failure) = model.refresh(Instant::now() + LONGEST_PAUSE).await {
        if !warned {
            tracing::warn!(model = model.name(), %failure, "cannot reach the model yet; ranking by it fails until it answers");
            warned = true;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    tracing::info!(model = model.name(), "the model has been reached");
    reached.set(true).await;
    pending::<()>().await;
}

/// Notices replaced models even when nobody ranks: reports unconfirmed weights in the metrics, and
/// keeps the inputs of pinned versions known.
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
            // Rank itself reports a version that is gone.
            let state = in_force.state();
            let (config, objectives) = (&engine.config, &engine.objectives);
            let _ = served::check_restorable(config, objectives, profile, &state).await;
        }
        sleep(MODEL_WATCH).await;
    }
}
