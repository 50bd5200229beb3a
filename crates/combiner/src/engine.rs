//! The state that all requests share.

use std::{io, sync::Arc};

use counterweight_feedback::Feedback;
use counterweight_serving::WorkPool;

use crate::{
    config::{Config, Policy},
    error::{CombinerError, RequestError},
    metrics::Metrics,
    objectives::Objectives,
    recent_requests::RecentRequests,
    request_log::RequestLog,
    served::{known_attributes, served},
    weights::{Context, LiveWeights},
};

/// The parts of a running combiner.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) config: Arc<Config>,
    pub(crate) objectives: Objectives,
    pub(crate) weights: Arc<LiveWeights>,
    pub(crate) metrics: Metrics,
    /// None when the configuration keeps no recent requests.
    pub(crate) recent: Option<RecentRequests>,
    /// None when the configuration logs no rankings.
    pub(crate) request_log: Option<Arc<RequestLog>>,
    /// None when the configuration takes no events.
    pub(crate) feedback: Option<Arc<Feedback>>,
    /// For work of requests that takes long.
    pub(crate) work: WorkPool,
    /// For previews and solutions, which must not hold up a ranking.
    pub(crate) previews: WorkPool,
}

/// Previews that wait for a thread; only as many begin as have a place.
const WAITING_PREVIEWS: usize = 64;

impl Engine {
    /// Opens the weights store and starts the worker of the recent requests. No model is called
    /// yet.
    pub(crate) async fn open(config: Arc<Config>) -> Result<Self, CombinerError> {
        let objectives = Objectives::new(&config)?;
        let metrics = Metrics::new(&config)?;
        let recent = RecentRequests::start(&config, &metrics)?;
        let request_log = RequestLog::start(&config)?.map(Arc::new);
        if let Some(log) = &request_log {
            metrics.show_log("request_log", log.log())?;
        }
        let feedback = config.feedback.clone();
        let feedback = feedback
            .map(|feedback| {
                let clock = Arc::clone(&config.clock);
                Feedback::start(feedback, &config.replica, clock, &metrics.registry)
            })
            .transpose()?;
        let pool = |pool: io::Result<WorkPool>| {
            pool.map_err(|error| CombinerError::Internal {
                what: format!("the threads for work cannot start: {error}"),
            })
        };
        let work = pool(WorkPool::new(config.limits.max_concurrent_requests))?;
        let previews = pool(WorkPool::background(WAITING_PREVIEWS))?;
        let weights = LiveWeights::open(Arc::new(config.weights()), &metrics.registry).await?;
        Ok(Self {
            objectives,
            weights: Arc::new(weights),
            metrics,
            recent,
            request_log,
            feedback: feedback.map(Arc::new),
            work,
            previews,
            config,
        })
    }

    /// The recent requests.
    ///
    /// # Errors
    /// [`RequestError::RecentRequestsOff`] when the configuration keeps none.
    pub(crate) fn recent_requests(&self) -> Result<&RecentRequests, RequestError> {
        self.recent.as_ref().ok_or(RequestError::RecentRequestsOff)
    }

    /// Whether every profile can be ranked now, as its policy says: by all objectives that have a
    /// weight, or by at least one of them.
    pub(crate) fn can_rank(&self) -> bool {
        let (_, in_force) = self.weights.all();
        self.config
            .profiles
            .iter()
            .zip(&in_force)
            .all(|(profile, in_force)| {
                let weights = in_force.weights.as_slice();
                let mut live = profile
                    .objectives
                    .iter()
                    .zip(weights)
                    .filter(|(_, weight)| **weight != 0.0)
                    .map(|(&objective, _)| self.objectives.list[objective].is_live());
                match profile.on_model_failure {
                    Policy::Fail => live.all(|live| live),
                    Policy::Without => live.any(|live| live),
                }
            })
    }

    /// The context for planning a change: the served models and the attributes that segments may
    /// use.
    pub(crate) async fn context(&self, forced: bool) -> Context {
        let served = served(&self.objectives).await;
        let objectives = self.config.objectives.iter().zip(served);
        Context {
            served: objectives
                .filter_map(|(objective, served)| Some((objective.name.clone(), served?)))
                .collect(),
            attributes: known_attributes(&self.objectives),
            forced,
        }
    }
}
