//! Ranks a request: one function that reads as the algorithm.

use std::time::Instant;

use counterweight_model_client::{Batch, Failure, ModelError};
use counterweight_ranking::{combine, top_k};
use counterweight_serving::Call;
use futures::{StreamExt as _, stream::FuturesUnordered};

use crate::{
    config::{Policy, Profile},
    engine::Engine,
    error::RequestError,
    features::{attributes, check_attributes, check_features},
    objective::Answer,
    ranking::{Combined, Degraded, Query, Ranking},
    served::{check_binding, pinned_version},
    weights::{InForce, RequestContext},
};

/// Ranks the candidates of one request.
pub(crate) async fn rank(
    engine: &Engine,
    query: Query,
    call: &Call,
) -> Result<Ranking, RequestError> {
    let profile = &engine.config.profiles[query.profile];
    let objectives = &engine.objectives;
    let batch = Batch::check(&query.ids, &query.inputs, &query.raw)?;
    let has_metadata = objectives.models().all(|model| model.has_metadata());
    check_features(objectives, &batch, call).await?;
    check_attributes(objectives, &batch)?;
    if call.is_overdue() {
        return Err(RequestError::DeadlinePassed);
    }

    let limit = if query.limit == 0 {
        profile.limit
    } else {
        query.limit
    };
    check_answer_size(engine, profile, &query, limit)?;
    let in_force = engine.weights.in_force(query.profile);
    let attributes = match query.all_attributes || !in_force.segments.is_empty() {
        true => attributes(&batch),
        false => Vec::new(),
    };
    let chosen = in_force.choose(RequestContext {
        attributes: &attributes,
        unit_id: &query.unit_id,
        request_id: &query.request_id,
    });
    let answers = ask_all(engine, profile, &batch, call, &chosen.weights, &in_force).await;
    if !has_metadata {
        // A model described its inputs only now.
        check_features(objectives, &batch, call).await?;
    }
    let (combined, degraded) = apply_policy(engine, profile, &chosen.weights, answers)?;
    let unconfirmed = check_binding(profile, &in_force, &combined)?;

    let weights: Vec<f64> = combined.iter().map(|objective| objective.weight).collect();
    let scores = combine(&weights, &combined);
    let order = top_k(&scores, &query.ids, limit);
    let log = engine.request_log.as_ref();
    let logged_features = log.map_or_else(Vec::new, |log| log.features(objectives, &batch, &order));
    Ok(Ranking {
        logged_features,
        ranking_id: query.ranking_id,
        time_ms: engine.config.clock.now_ms(),
        request_id: query.request_id,
        unit_id: query.unit_id,
        attributes,
        chosen,
        profile: query.profile,
        revision: in_force.revision,
        weights_stale: engine.weights.lost_since().is_some(),
        local_kill: in_force.local_kill,
        objectives: combined,
        degraded,
        unconfirmed,
        ids: query.ids,
        scores,
        limit,
        order,
    })
}

/// Refuses a request whose answer would be larger than a message may be, before any work on it.
fn check_answer_size(
    engine: &Engine,
    profile: &Profile,
    query: &Query,
    limit: usize,
) -> Result<(), RequestError> {
    let candidates = query.ids.len();
    let places = match limit {
        0 => candidates,
        limit => limit.min(candidates),
    };
    // A probability and a contribution for each objective, and the two ends of a range.
    let doubles = if query.stability { 4 } else { 2 };
    let numbers = doubles * profile.objectives.len() + 1;
    let bytes = places.saturating_mul(numbers * size_of::<f64>());
    let most = engine.config.limits.max_message_bytes;
    if bytes <= most {
        return Ok(());
    }
    Err(RequestError::Field {
        field: "limit",
        problem: format!(
            "asks for {places} candidates with {numbers} numbers each, {bytes} bytes, and an answer \
             has at most {most}; ask for fewer candidates"
        ),
    })
}

/// What came of one objective: its position in the configuration, and its answer.
type Asked = (usize, Result<Answer, ModelError>);

/// Asks every objective of a profile at once.
///
/// When the model of an objective with weight 0 is down, its answer is not awaited: that would cost
/// every request the model's timeout and change no score.
async fn ask_all(
    engine: &Engine,
    profile: &Profile,
    batch: &Batch<'_>,
    call: &Call,
    weights: &[f64],
    in_force: &InForce,
) -> Vec<Asked> {
    let mut answers: Vec<_> = profile.objectives.iter().map(|_| None).collect();
    let mut awaited = Vec::with_capacity(profile.objectives.len());
    let mut asking = FuturesUnordered::new();
    for (place, (&objective, &weight)) in profile.objectives.iter().zip(weights).enumerate() {
        let down = engine.objectives.list[objective].is_down();
        awaited.push(weight != 0.0 || !down);
        let pinned = pinned_version(profile, place, in_force);
        asking.push(async move {
            let answer = ask(engine, objective, batch, call, pinned).await;
            (place, answer)
        });
    }
    let mut missing = awaited.iter().filter(|&&awaited| awaited).count();
    while missing > 0
        && let Some((place, answer)) = asking.next().await
    {
        answers[place] = Some(answer);
        missing -= usize::from(awaited[place]);
    }
    let skipped = || {
        let reason = "it did not answer before, and an objective with weight 0 is not waited for";
        Err(ModelError::Failed(Failure::Unavailable(reason.to_owned())))
    };
    let objectives = profile.objectives.iter().copied();
    let answers = answers.into_iter().map(|one| one.unwrap_or_else(skipped));
    objectives.zip(answers).collect()
}

/// Asks one objective, and counts the outcome in the metrics.
async fn ask(
    engine: &Engine,
    at: usize,
    batch: &Batch<'_>,
    call: &Call,
    pinned: Option<&str>,
) -> Result<Answer, ModelError> {
    let started = Instant::now();
    let objective = &engine.objectives.list[at];
    let answer = objective.answer(batch, call, pinned).await;
    engine.metrics.answered(at, started.elapsed());
    match &answer {
        Ok(answer) => engine.metrics.clamped(at, answer.clamped),
        Err(ModelError::Failed(failure)) => {
            engine.metrics.failed(&objective.name, failure);
            tracing::debug!(
                objective = objective.name,
                trace = call.trace.trace_id(),
                %failure,
                "an objective failed"
            );
        }
        Err(
            ModelError::Input(_)
            | ModelError::PinnedVersionGone { .. }
            | ModelError::Internal { .. },
        ) => {}
    }
    answer
}

/// Pairs answers with weights. An objective whose weight is 0 is left out when it fails, since it
/// changes no score; for any other the profile's policy decides.
fn apply_policy(
    engine: &Engine,
    profile: &Profile,
    weights: &[f64],
    answers: Vec<Asked>,
) -> Result<(Vec<Combined>, Vec<Degraded>), RequestError> {
    let mut combined = Vec::with_capacity(answers.len());
    let mut degraded = Vec::new();
    for ((objective, answer), &weight) in answers.into_iter().zip(weights) {
        let name = || engine.objectives.list[objective].name.clone();
        let without = |failure: &Failure| {
            let policy = match failure {
                Failure::Overloaded { .. } => profile.on_model_overload,
                _ => profile.on_model_failure,
            };
            weight == 0.0 || policy == Policy::Without
        };
        match answer {
            Ok(answer) => combined.push(Combined {
                objective,
                weight,
                answer,
            }),
            Err(ModelError::Failed(failure)) if without(&failure) => {
                degraded.push(Degraded { objective, failure });
            }
            Err(ModelError::PinnedVersionGone { reason, .. }) if weight == 0.0 => {
                let failure = Failure::NotServed(reason);
                degraded.push(Degraded { objective, failure });
            }
            Err(ModelError::Failed(failure)) => {
                let objective = name();
                return Err(RequestError::ObjectiveFailed { objective, failure });
            }
            Err(ModelError::PinnedVersionGone {
                model,
                version,
                reason,
            }) => {
                return Err(RequestError::PinnedVersionGone {
                    objective: name(),
                    model,
                    version,
                    reason,
                });
            }
            Err(ModelError::Input(error)) => return Err((*error).into()),
            Err(ModelError::Internal { what }) => return Err(RequestError::Internal { what }),
        }
    }
    if combined.iter().all(|objective| objective.weight == 0.0) {
        return Err(nothing_left(engine, degraded));
    }
    if !degraded.is_empty() {
        engine.metrics.degraded(&profile.name);
    }
    Ok((combined, degraded))
}

fn nothing_left(engine: &Engine, mut degraded: Vec<Degraded>) -> RequestError {
    let overload = |failed: &Degraded| matches!(failed.failure, Failure::Overloaded { .. });
    if degraded.iter().all(overload)
        && let Some(Degraded { objective, failure }) = degraded.pop()
    {
        let objective = engine.objectives.list[objective].name.clone();
        return RequestError::ObjectiveFailed { objective, failure };
    }
    let name = |failed: &Degraded| engine.objectives.list[failed.objective].name.clone();
    let reasons: Vec<String> = degraded
        .iter()
        .map(|failed| format!("objective {:?}: {}", name(failed), failed.failure))
        .collect();
    RequestError::NothingLeft {
        objectives: degraded.iter().map(name).collect::<Vec<_>>().join(", "),
        reasons: reasons.join("; "),
        retry: degraded.iter().any(|failed| failed.failure.is_temporary()),
    }
}
