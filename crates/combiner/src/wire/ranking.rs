//! RankingService: decodes, calls, encodes.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use counterweight_proto::counterweight::v1::{
    Degradation, Density, DescribeRankingRequest, DescribeRankingResponse, Draw,
    FeatureDescription, ObjectiveDescription, ObjectiveInEffect, RankRequest, RankResponse,
    RankedCandidate, ReadLogRequest, ReadLogResponse, WeightRange,
    ranking_service_server::RankingService,
};
use counterweight_ranking::{contribution, ope, stability::Range, symbol};
use futures::future::join_all;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use uuid::{NoContext, Timestamp, Uuid};

use crate::{
    admission::Admission,
    call::Call,
    error::RequestError,
    rank::{Engine, Query, Ranking, rank},
    source::{Input, Objective, Source},
    stability::Stability,
    weights,
    wire::{
        authorise::{Permission, authorise},
        log,
        status::code,
        weights::unconfirmed,
    },
};

/// The longest that DescribeRanking waits for a model that does not answer.
const DESCRIBE_PATIENCE: Duration = Duration::from_secs(1);

/// Ranking over gRPC.
#[derive(Debug, Clone)]
pub(crate) struct Ranker(pub(crate) Arc<Engine>);

#[tonic::async_trait]
impl RankingService for Ranker {
    async fn rank(
        &self,
        mut request: Request<RankRequest>,
    ) -> Result<Response<RankResponse>, Status> {
        authorise(Permission::Rank, request.metadata())?;
        let admission = request.extensions_mut().remove::<Admission>();
        let arrival = admission
            .as_ref()
            .map_or_else(Instant::now, Admission::arrival);
        let call = Call::new(request.metadata(), arrival);
        let outcome = self.answer(request.into_inner(), &call, arrival).await;
        drop(admission);
        Ok(Response::new(outcome?))
    }

    async fn describe_ranking(
        &self,
        request: Request<DescribeRankingRequest>,
    ) -> Result<Response<DescribeRankingResponse>, Status> {
        authorise(Permission::Rank, request.metadata())?;
        Ok(Response::new(describe(&self.0).await))
    }

    type ReadLogStream = Pin<Box<dyn Stream<Item = Result<ReadLogResponse, Status>> + Send>>;

    async fn read_log(
        &self,
        request: Request<ReadLogRequest>,
    ) -> Result<Response<Self::ReadLogStream>, Status> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let stream = log::read(&self.0, &request.into_inner().profile).await?;
        Ok(Response::new(Box::pin(stream)))
    }
}

impl Ranker {
    async fn answer(
        &self,
        request: RankRequest,
        call: &Call,
        arrival: Instant,
    ) -> Result<RankResponse, RequestError> {
        let engine = &*self.0;
        let refused = |profile: &str, error: &RequestError| {
            engine
                .metrics
                .refused(profile, code(error), arrival.elapsed());
        };
        let profile = engine
            .config
            .profile(&request.profile)
            .inspect_err(|error| refused("", error))?;
        let stability = request.stability;
        let ranking = rank(engine, decode(request, profile), call).await;
        let outcome = match ranking {
            Ok(ranking) if stability => Stability::of(ranking)
                .await
                .map(|(ranking, stability)| (ranking, Some(stability))),
            ranking => ranking.map(|ranking| (ranking, None)),
        };
        let (mut ranking, stability) =
            outcome.inspect_err(|error| refused(&engine.config.profiles[profile].name, error))?;
        let kept = engine
            .ring
            .as_ref()
            .and_then(|ring| Some((ring, ring.sample(&ranking)?)));
        let response = encode(engine, &mut ranking, stability.as_ref());
        engine.metrics.ranked(profile, arrival.elapsed());
        if let Some((ring, sampled)) = kept {
            ring.keep(sampled, ranking);
        }
        Ok(response)
    }
}

fn decode(request: RankRequest, profile: usize) -> Query {
    let request_id = if request.request_id.is_empty() {
        Uuid::new_v7(Timestamp::now(NoContext)).to_string()
    } else {
        request.request_id
    };
    Query {
        request_id,
        profile,
        ids: request.candidate_ids,
        inputs: request.inputs,
        raw: request.raw_input_contents,
        limit: usize::try_from(request.limit).unwrap_or(usize::MAX),
        unit_id: request.unit_id,
    }
}

/// The answer; the ids of its candidates are taken out of the ranking.
fn encode(engine: &Engine, ranking: &mut Ranking, stability: Option<&Stability>) -> RankResponse {
    let candidates = ranking
        .order
        .iter()
        .enumerate()
        .map(|(place, &at)| RankedCandidate {
            id: std::mem::take(&mut ranking.ids[at]),
            score: ranking.scores[at],
            probabilities: ranking
                .objectives
                .iter()
                .map(|combined| combined.answer.probabilities[at])
                .collect(),
            contributions: ranking
                .objectives
                .iter()
                .map(|combined| contribution(combined.weight, combined.answer.probabilities[at]))
                .collect(),
            stays: stability.map_or_else(Vec::new, |stability| {
                let objectives = stability.candidates.iter();
                objectives.map(|stays| range(stays[place])).collect()
            }),
        })
        .collect();
    let name = |objective: usize| engine.objectives[objective].name.clone();
    RankResponse {
        request_id: ranking.request_id.clone(),
        profile: engine.config.profiles[ranking.profile].name.clone(),
        revision: ranking.revision,
        objectives: ranking
            .objectives
            .iter()
            .enumerate()
            .map(|(at, combined)| ObjectiveInEffect {
                name: name(combined.objective),
                weight: combined.weight,
                model_version: combined.answer.model_version.clone(),
                calibrator: combined.answer.calibrator.clone(),
                stable: stability.map(|stability| range(stability.page[at])),
            })
            .collect(),
        candidates,
        degraded: ranking
            .degraded
            .iter()
            .map(|degraded| Degradation {
                objective: name(degraded.objective),
                reason: degraded.failure.to_string(),
            })
            .collect(),
        segment: text(ranking.chosen.segment.as_deref()),
        arm: text(ranking.chosen.arm.as_deref()),
        weights_stale: ranking.weights_stale,
        unconfirmed: std::mem::take(&mut ranking.unconfirmed)
            .into_iter()
            .map(unconfirmed)
            .collect(),
        draw: ranking.chosen.draw.map(draw),
    }
}

fn range(range: Range) -> WeightRange {
    WeightRange {
        low: range.low,
        high: range.high,
    }
}

/// A draw as it is answered.
pub(super) fn draw(draw: weights::Draw) -> Draw {
    let (low, high) = draw.density.range();
    Draw {
        lambda: draw.lambda,
        low,
        high,
        density: density(draw.density).into(),
        seed: draw.seed,
    }
}

/// The kind of a density.
pub(super) fn density(density: ope::Density) -> Density {
    match density {
        ope::Density::Uniform { .. } => Density::Uniform,
        ope::Density::LogUniform { .. } => Density::LogUniform,
    }
}

fn text(name: Option<&str>) -> String {
    name.unwrap_or_default().to_owned()
}

async fn describe(engine: &Engine) -> DescribeRankingResponse {
    let objectives = join_all(engine.objectives.iter().enumerate().map(describe_objective)).await;
    let mut features: Vec<FeatureDescription> = Vec::new();
    for objective in &engine.objectives {
        for feature in features_of(objective) {
            match features.iter_mut().find(|known| known.name == feature.name) {
                Some(known) => {
                    known.optional &= feature.optional;
                    known.objectives.push(objective.name.clone());
                }
                None => features.push(feature),
            }
        }
    }
    DescribeRankingResponse {
        objectives,
        features,
        profiles: engine
            .config
            .profiles
            .iter()
            .map(|profile| profile.name.clone())
            .collect(),
        attributes: engine.config.attributes.clone(),
    }
}

async fn describe_objective((at, objective): (usize, &Objective)) -> ObjectiveDescription {
    let common = ObjectiveDescription {
        name: objective.name.clone(),
        symbol: symbol(at),
        ..Default::default()
    };
    match &objective.source {
        Source::Column(_) => ObjectiveDescription {
            source: "column".to_owned(),
            ready: true,
            ..common
        },
        Source::Model(model) => {
            let outcome = model.refresh(Instant::now() + DESCRIBE_PATIENCE).await;
            ObjectiveDescription {
                source: "model".to_owned(),
                model_name: model.name().to_owned(),
                model_version: model
                    .inputs()
                    .map(|inputs| inputs.version.clone())
                    .unwrap_or_default(),
                ready: outcome.is_ok(),
                reason: outcome
                    .err()
                    .map(|failure| failure.to_string())
                    .unwrap_or_default(),
                ..common
            }
        }
    }
}

fn features_of(objective: &Objective) -> Vec<FeatureDescription> {
    match &objective.source {
        Source::Column(column) => vec![FeatureDescription {
            name: column.clone(),
            datatype: "FP64".to_owned(),
            shape: vec![-1],
            kind: "numeric".to_owned(),
            side: "candidate".to_owned(),
            optional: false,
            objectives: vec![objective.name.clone()],
        }],
        Source::Model(model) => model
            .inputs()
            .map(|inputs| {
                inputs
                    .list
                    .iter()
                    .map(|input| describe_input(input, &objective.name))
                    .collect()
            })
            .unwrap_or_default(),
    }
}

fn describe_input(input: &Input, objective: &str) -> FeatureDescription {
    FeatureDescription {
        name: input.name.clone(),
        datatype: input.datatype.clone(),
        shape: input.shape.clone(),
        kind: input.kind.clone(),
        side: input
            .side
            .map(|side| side.as_str().to_owned())
            .unwrap_or_default(),
        optional: input.optional.unwrap_or(false),
        objectives: vec![objective.to_owned()],
    }
}
