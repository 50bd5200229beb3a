//! Assembles the combiner from its engine, its services and the shared server.

use std::{
    future::{Future, pending},
    sync::Arc,
    time::{Duration, Instant},
};

use counterweight_feedback::{FEEDBACK, FeedbackApi};
use counterweight_model_client::Model;
use counterweight_proto::{
    DESCRIPTORS,
    counterweight::v1::{
        feedback_service_server::FeedbackServiceServer,
        ranking_service_server::RankingServiceServer, weights_service_server::WeightsServiceServer,
    },
};
use counterweight_serving::{Condition, Listeners, Refusal, Server, ServingError, Tasks};
use tokio::time::sleep;
use tonic::codec::CompressionEncoding::{Deflate, Gzip};

use crate::{
    config::Config,
    engine::Engine,
    error::CombinerError,
    served,
    weights::LiveWeights,
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

/// A combiner whose weights store is open.
#[derive(Debug)]
pub struct Combiner {
    engine: Arc<Engine>,
}

impl Combiner {
    /// Opens the weights store.
    ///
    /// # Errors
    /// The weights store cannot be opened.
    pub async fn open(config: Config) -> Result<Self, CombinerError> {
        let engine = Arc::new(Engine::open(Arc::new(config)).await?);
        Ok(Self { engine })
    }

    /// Serves as [`serve`] does.
    ///
    /// # Errors
    /// The server failed.
    pub async fn serve(
        self,
        listeners: Listeners,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), CombinerError> {
        let outcome = run(&self.engine, listeners, shutdown).await;
        self.engine.weights.close().await;
        if let Some(recent) = &self.engine.recent {
            recent.close().await;
        }
        let limit = self.engine.config.limits.drain.timeout;
        if let Some(log) = &self.engine.request_log {
            log.log().close_within(limit).await;
        }
        if let Some(feedback) = &self.engine.feedback {
            feedback.log().close_within(limit).await;
        }
        outcome.map_err(|error| CombinerError::Serve {
            what: "the server",
            reason: error.to_string(),
        })
    }
}

/// Serves a combiner until `shutdown` resolves and the requests in progress are answered, or until
/// [`counterweight_serving::Limits::drain`] is over.
///
/// Models need not be up. While one does not answer, ranking by it is answered UNAVAILABLE with the
/// reason. Health says NOT_SERVING for `counterweight.v1.RankingService` while some profile cannot
/// be ranked, as its policy for failures says; the server as a whole is SERVING.
///
/// # Errors
/// The weights store cannot be opened, or the server failed.
pub async fn serve(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), CombinerError> {
    Combiner::open(config)
        .await?
        .serve(listeners, shutdown)
        .await
}

async fn run(
    engine: &Arc<Engine>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServingError> {
    let limits = &engine.config.limits;
    let metrics = &engine.metrics;
    let registry = metrics.registry.clone();
    let services: &'static [&'static str] = match engine.feedback {
        None => &[RANKING, WEIGHTS],
        Some(_) => &[RANKING, WEIGHTS, FEEDBACK],
    };
    let mut server = Server::new(services, DESCRIPTORS, registry, limits.clone()).await?;
    let health = Arc::new(RankingHealth {
        engine: Arc::clone(engine),
        condition: server.health().condition(RANKING).await,
    });
    health.update().await;
    for model in engine.objectives.models() {
        let (model, health) = (Arc::clone(model), Arc::clone(&health));
        server.tasks().restart("reach a model", move || {
            reach(Arc::clone(&model), Arc::clone(&health))
        });
    }
    let in_reach = server.health().condition(WEIGHTS).await;
    in_reach.set(engine.weights.lost_since().is_none()).await;
    let (weights, in_reach) = (Arc::clone(&engine.weights), Arc::new(in_reach));
    server
        .tasks()
        .restart("report the health of the weights store", move || {
            report_store(Arc::clone(&weights), Arc::clone(&in_reach))
        });
    start_tasks(server.tasks(), engine, health);
    let logs = Arc::clone(engine);
    server.set_notes(move || {
        let rankings = logs.request_log.iter().flat_map(|log| log.notes());
        let events = logs.feedback.iter().flat_map(|feedback| feedback.notes());
        rankings.chain(events).collect()
    });
    let overloaded = metrics.overloaded.clone();
    let gate = server.gate(&["Rank"], metrics.in_progress.clone(), move |refusal| {
        if let Refusal::Overloaded { .. } = refusal {
            overloaded.inc();
        }
    })?;
    let ranking = RankingServiceServer::new(Ranker(Arc::clone(engine)))
        .max_decoding_message_size(limits.max_message_bytes)
        .max_encoding_message_size(limits.max_message_bytes)
        .accept_compressed(Gzip)
        .accept_compressed(Deflate);
    let weights = WeightsServiceServer::new(WeightsApi {
        engine: Arc::clone(engine),
        lifecycle: server.lifecycle().clone(),
        newest: Arc::default(),
    })
    .max_decoding_message_size(limits.max_message_bytes)
    .accept_compressed(Gzip)
    .accept_compressed(Deflate);
    let router = server
        .router()?
        .add_service(gate.guard(ranking))
        .add_service(gate.guard(weights));
    let feedback = engine.feedback.clone().map(|feedback| {
        FeedbackServiceServer::new(FeedbackApi(feedback))
            .max_decoding_message_size(limits.max_message_bytes)
            .accept_compressed(Gzip)
            .accept_compressed(Deflate)
    });
    let router = match feedback {
        Some(feedback) => router.add_service(gate.guard(feedback)),
        None => router,
    };
    server.run(router, listeners, shutdown).await
}

/// The health of the ranking service.
struct RankingHealth {
    engine: Arc<Engine>,
    condition: Condition,
}

impl RankingHealth {
    async fn update(&self) {
        self.condition.set(self.engine.can_rank()).await;
    }
}

fn start_tasks(tasks: &mut Tasks, engine: &Arc<Engine>, health: Arc<RankingHealth>) {
    let weights = Arc::clone(&engine.weights);
    tasks.restart("follow the weights", move || {
        let weights = Arc::clone(&weights);
        async move { weights.follow().await }
    });
    let weights = Arc::clone(&engine.weights);
    tasks.restart("watch the weights store", move || {
        let weights = Arc::clone(&weights);
        async move { weights.watch_store().await }
    });
    let weights = Arc::clone(&engine.weights);
    tasks.restart("run ramps", move || {
        let weights = Arc::clone(&weights);
        async move { weights.run_ramps().await }
    });
    let keyed = Arc::clone(engine);
    tasks.restart("read the key of the units", move || {
        let engine = Arc::clone(&keyed);
        async move {
            if let Some(log) = &engine.request_log {
                log.find_key().await;
            }
            if let Some(feedback) = &engine.feedback {
                feedback.find_key().await;
            }
            pending::<()>().await;
        }
    });
    tasks.restart("watch models", move || watch_models(Arc::clone(&health)));
}

/// Asks a model for its inputs until it has answered once; then ranking no longer waits for it.
async fn reach(model: Arc<Model>, health: Arc<RankingHealth>) {
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
    health.update().await;
    pending::<()>().await;
}

/// WeightsService is NOT_SERVING while the weights store is out of reach.
async fn report_store(weights: Arc<LiveWeights>, in_reach: Arc<Condition>) {
    let mut lost = weights.store_lost();
    loop {
        let up = lost.borrow_and_update().is_none();
        in_reach.set(up).await;
        if lost.changed().await.is_err() {
            return;
        }
    }
}

/// Notices models that went down, came back or were replaced although nobody ranks: reports health,
/// shows in the metrics where weights are not confirmed for what is served, and keeps the inputs of
/// pinned versions at hand.
async fn watch_models(health: Arc<RankingHealth>) {
    let engine = &health.engine;
    loop {
        let served = served::served(&engine.objectives).await;
        health.update().await;
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
