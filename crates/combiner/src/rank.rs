//! Ranking, as one function that reads as the algorithm.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use counterweight_proto::inference::model_infer_request::InferInputTensor;
use counterweight_ranking::{combine, top_k};
use futures::future::join_all;

use crate::{
    batch::Batch,
    call::Call,
    config::{Config, Policy, Profile},
    error::{Failure, RequestError},
    metrics::Metrics,
    ring::{Key, Ring},
    served::Unconfirmed,
    source::{Answer, Model, Objective, Source, SourceError},
    weights::{Attribute, Chosen, LiveWeights, RequestContext},
};

/// Everything that ranking needs; shared by all requests.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) config: Arc<Config>,
    /// In the order of the configuration.
    pub(crate) objectives: Vec<Objective>,
    pub(crate) weights: Arc<LiveWeights>,
    pub(crate) metrics: Metrics,
    /// None when the configuration keeps no recent requests.
    pub(crate) ring: Option<Ring>,
}

/// What to rank, and for which profile.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) request_id: String,
    /// The profile's position in the configuration.
    pub(crate) profile: usize,
    pub(crate) ids: Vec<String>,
    pub(crate) inputs: Vec<InferInputTensor>,
    pub(crate) raw: Vec<Bytes>,
    /// k; 0 asks for the profile's own limit.
    pub(crate) limit: usize,
    /// The unit of experiments; empty when it is not said.
    pub(crate) unit_id: String,
}

/// All candidates with all that explains their order.
#[derive(Debug)]
pub(crate) struct Ranking {
    pub(crate) request_id: String,
    pub(crate) profile: usize,
    /// The revision that set the weights.
    pub(crate) revision: u64,
    /// The unit of experiments; empty when it is not said.
    pub(crate) unit_id: String,
    /// What is known of the request beside its candidates; empty where neither a segment nor the ring asks.
    pub(crate) attributes: Vec<Attribute>,
    /// Whether it is kept among the recent requests: while this survives.
    pub(crate) key: Option<Key>,
    /// Which weights applied.
    pub(crate) chosen: Chosen,
    /// Whether the weights store is out of reach.
    pub(crate) weights_stale: bool,
    /// What was combined, in objective order.
    pub(crate) objectives: Vec<Combined>,
    /// What was done without.
    pub(crate) degraded: Vec<Degraded>,
    /// What the weights were tuned for, where something else answered.
    pub(crate) unconfirmed: Vec<Unconfirmed>,
    /// Every candidate of the request, in its order.
    pub(crate) ids: Vec<String>,
    /// One per candidate.
    pub(crate) scores: Vec<f64>,
    /// k; 0 is all.
    pub(crate) limit: usize,
    /// Positions of the best candidates, best first.
    pub(crate) order: Vec<usize>,
}

/// One objective as it entered the scores.
#[derive(Debug)]
pub(crate) struct Combined {
    /// Position in the configuration.
    pub(crate) objective: usize,
    pub(crate) weight: f64,
    pub(crate) answer: Answer,
}

impl AsRef<[f64]> for Combined {
    fn as_ref(&self) -> &[f64] {
        &self.answer.probabilities
    }
}

/// One objective that the ranking did without.
#[derive(Debug)]
pub(crate) struct Degraded {
    /// Position in the configuration.
    pub(crate) objective: usize,
    pub(crate) failure: Failure,
}

/// Ranks the candidates of one request.
pub(crate) async fn rank(
    engine: &Engine,
    query: Query,
    call: &Call,
) -> Result<Ranking, RequestError> {
    let profile = &engine.config.profiles[query.profile];
    let batch = Batch::check(&query.ids, &query.inputs, &query.raw)?;
    let told = engine.models().all(|model| model.told());
    engine.check_features(&batch, call).await?;
    engine.check_attributes(&batch)?;
    call.check_time()?;

    let in_force = engine.weights.in_force(query.profile);
    let key = engine
        .ring
        .as_ref()
        .and_then(|ring| ring.draw(query.profile));
    // A request that is kept is weighed again under segments that are not there yet.
    let attributes = match key.is_none() && in_force.segments.is_empty() {
        true => Vec::new(),
        false => batch.attributes(),
    };
    let chosen = in_force.choose(RequestContext {
        attributes: &attributes,
        unit_id: &query.unit_id,
        request_id: &query.request_id,
    });
    let answers = join_all(
        profile
            .objectives
            .iter()
            .enumerate()
            .map(|(at, &objective)| {
                let held = engine.held(query.profile, at, &in_force);
                engine.answer(objective, &batch, call, held)
            }),
    )
    .await;
    if !told {
        // A model said only now what it takes.
        engine.check_features(&batch, call).await?;
    }
    let (combined, degraded) = engine.apply_policy(profile, &chosen.weights, answers)?;
    let unconfirmed = engine.check_binding(query.profile, &in_force, &combined)?;

    let weights: Vec<f64> = combined.iter().map(|objective| objective.weight).collect();
    let scores = combine(&weights, &combined);
    let limit = if query.limit == 0 {
        profile.limit
    } else {
        query.limit
    };
    let order = top_k(&scores, &query.ids, limit);
    Ok(Ranking {
        request_id: query.request_id,
        unit_id: query.unit_id,
        attributes,
        key,
        chosen,
        profile: query.profile,
        revision: in_force.revision,
        weights_stale: engine.weights.lost_since().is_some(),
        objectives: combined,
        degraded,
        unconfirmed,
        ids: query.ids,
        scores,
        limit,
        order,
    })
}

impl Engine {
    /// The recent requests.
    pub(crate) fn ring(&self) -> Result<&Ring, RequestError> {
        self.ring.as_ref().ok_or(RequestError::RingOff)
    }

    /// The models among the sources.
    pub(crate) fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.objectives
            .iter()
            .filter_map(|objective| match &objective.source {
                Source::Model(model) => Some(model),
                Source::Column(_) => None,
            })
    }

    /// One objective's probabilities, with what becomes of it in the metrics.
    async fn answer(
        &self,
        at: usize,
        batch: &Batch<'_>,
        call: &Call,
        held: Option<&str>,
    ) -> (usize, Result<Answer, SourceError>) {
        let started = Instant::now();
        let objective = &self.objectives[at];
        let answer = objective.answer(batch, call, held).await;
        self.metrics.answered(at, started.elapsed());
        if let Err(SourceError::Failed(failure)) = &answer {
            self.metrics.failed(&objective.name, failure);
            tracing::debug!(objective = objective.name, trace = call.trace.trace_id(), %failure, "an objective failed");
        }
        (at, answer)
    }

    /// Pairs answers with weights; for a failed objective the profile's policy decides.
    fn apply_policy(
        &self,
        profile: &Profile,
        weights: &[f64],
        answers: Vec<(usize, Result<Answer, SourceError>)>,
    ) -> Result<(Vec<Combined>, Vec<Degraded>), RequestError> {
        let mut combined = Vec::with_capacity(answers.len());
        let mut degraded = Vec::new();
        for ((objective, answer), &weight) in answers.into_iter().zip(weights) {
            match (answer, profile.on_model_failure) {
                (Ok(answer), _) => combined.push(Combined {
                    objective,
                    weight,
                    answer,
                }),
                (Err(SourceError::Request(error)), _) => return Err(error),
                (Err(SourceError::Failed(failure)), Policy::Fail) => {
                    let objective = self.objectives[objective].name.clone();
                    return Err(RequestError::ObjectiveFailed { objective, failure });
                }
                (Err(SourceError::Failed(failure)), Policy::Without) => {
                    degraded.push(Degraded { objective, failure });
                }
            }
        }
        if combined.iter().all(|objective| objective.weight == 0.0) {
            return Err(self.nothing_left(&degraded));
        }
        if !degraded.is_empty() {
            self.metrics.degraded(&profile.name);
        }
        Ok((combined, degraded))
    }

    fn nothing_left(&self, degraded: &[Degraded]) -> RequestError {
        let name = |failed: &Degraded| self.objectives[failed.objective].name.clone();
        let reasons: Vec<String> = degraded
            .iter()
            .map(|failed| format!("objective {:?}: {}", name(failed), failed.failure))
            .collect();
        RequestError::NothingLeft {
            objectives: degraded.iter().map(name).collect::<Vec<_>>().join(", "),
            reasons: reasons.join("; "),
        }
    }
}
