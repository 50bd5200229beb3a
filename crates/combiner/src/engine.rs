//! The state that all requests share.

use std::sync::Arc;

use crate::{
    config::Config,
    error::{CombinerError, RequestError},
    metrics::Metrics,
    recent_requests::RecentRequests,
    served::{known_attributes, served},
    source::Objectives,
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
}

impl Engine {
    /// Opens the weights store and starts the worker of the recent requests. No model is called
    /// yet.
    pub(crate) async fn open(config: Arc<Config>) -> Result<Self, CombinerError> {
        let objectives = Objectives::new(&config)?;
        let metrics = Metrics::new(&config)?;
        let recent = RecentRequests::start(&config, &metrics)?;
        let weights = LiveWeights::open(Arc::new(config.weights()), &metrics.registry).await?;
        Ok(Self {
            objectives,
            weights: Arc::new(weights),
            metrics,
            recent,
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
