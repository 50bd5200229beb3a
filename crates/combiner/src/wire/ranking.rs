//! RankingService: decodes, calls, encodes.

use std::{pin::Pin, sync::Arc, time::Duration};

use counterweight_clock::Clock;
use counterweight_proto::counterweight::v1::{
    Degradation, DescribeRankingRequest, DescribeRankingResponse, ObjectiveInEffect, RankRequest,
    RankResponse, RankedCandidate, ReadLogRequest, ReadLogResponse, WeightRange,
    ranking_service_server::RankingService,
};
use counterweight_ranking::{contribution, stability::Range};
use counterweight_serving::{Call, clip};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use uuid::{NoContext, Timestamp, Uuid};

use crate::{
    engine::Engine,
    error::RequestError,
    rank::rank,
    ranking::{Query, Ranking},
    stability::Stability,
    wire::{
        authorise::{Permission, authorise},
        common::{draw, unconfirmed},
        describe::describe,
        log,
        status::code,
    },
};

/// The part of the caller's time that is reserved for combining and answering, at most.
const RESERVE: Duration = Duration::from_millis(20);

/// The longest reason in an answer, in bytes.
const LONGEST_REASON: usize = 1500;

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
        let call = Call::take_from(&mut request).reserving(RESERVE);
        Ok(Response::new(
            self.answer(request.into_inner(), &call).await?,
        ))
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
    ) -> Result<RankResponse, RequestError> {
        let engine = &*self.0;
        let refused = |profile: &str, error: &RequestError| {
            engine
                .metrics
                .refused(profile, code(error), call.arrived.elapsed());
        };
        let profile = engine
            .config
            .profile(&request.profile)
            .inspect_err(|error| refused("", error))?;
        let stability = request.stability;
        // The request is kept after the answer, off the caller's path; the key decides whether.
        let recent = engine.recent.as_ref();
        let kept = recent.and_then(|recent| Some((recent, recent.draw_key(profile)?)));
        let ranking_id = new_ranking_id(&*engine.config.clock);
        let query = decode(request, ranking_id, profile, kept.is_some());
        let ranking = rank(engine, query, call).await;
        let outcome = match ranking {
            Ok(ranking) if stability => Stability::compute(&engine.work, call, ranking)
                .await
                .map(|(ranking, stability)| (ranking, Some(stability))),
            ranking => ranking.map(|ranking| (ranking, None)),
        };
        let (mut ranking, stability) =
            outcome.inspect_err(|error| refused(&engine.config.profiles[profile].name, error))?;
        let kept = kept.and_then(|(recent, key)| Some((recent, recent.sample(key, &ranking)?)));
        let logged = engine.request_log.as_ref();
        let logged = logged.map(|log| (log, log.record(&engine.config, &mut ranking)));
        let response = encode(engine, &mut ranking, stability.as_ref());
        if let Some((log, record)) = logged {
            let logged = log.write(record).await;
            logged.inspect_err(|error| refused(&engine.config.profiles[profile].name, error))?;
        }
        engine.metrics.ranked(profile, call.arrived.elapsed());
        if let Some((recent, sampled)) = kept {
            recent.keep(sampled, ranking);
        }
        Ok(response)
    }
}

fn decode(request: RankRequest, ranking_id: String, profile: usize, kept: bool) -> Query {
    let request_id = match request.request_id.is_empty() {
        true => ranking_id.clone(),
        false => request.request_id,
    };
    Query {
        ranking_id,
        request_id,
        profile,
        ids: request.candidate_ids,
        inputs: request.inputs,
        raw: request.raw_input_contents,
        limit: usize::try_from(request.limit).unwrap_or(usize::MAX),
        unit_id: request.unit_id,
        stability: request.stability,
        // A kept request may be ranked again under segments that do not exist yet.
        all_attributes: kept,
    }
}

/// A UUIDv7, whose first 48 bits are the time.
fn new_ranking_id(clock: &dyn Clock) -> String {
    let now = clock.since_1970();
    let time = Timestamp::from_unix(NoContext, now.as_secs(), now.subsec_nanos());
    Uuid::new_v7(time).to_string()
}

/// Encodes the answer; the ids of its candidates are moved out of the ranking.
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
            page_ranges: stability.map_or_else(Vec::new, |stability| {
                let objectives = stability.candidates.iter();
                objectives.map(|ranges| range(ranges[place])).collect()
            }),
        })
        .collect();
    let name = |objective: usize| engine.objectives.list[objective].name.clone();
    RankResponse {
        ranking_id: ranking.ranking_id.clone(),
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
                page_range: stability.map(|stability| range(stability.page[at])),
            })
            .collect(),
        candidates,
        degraded: ranking
            .degraded
            .iter()
            .map(|degraded| Degradation {
                objective: name(degraded.objective),
                // A model may say anything, and at any length.
                reason: clip(&degraded.failure.to_string(), LONGEST_REASON),
            })
            .collect(),
        segment: text(ranking.chosen.segment.as_deref()),
        arm: text(ranking.chosen.arm.as_deref()),
        weights_stale: ranking.weights_stale,
        local_kill: ranking.local_kill,
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

fn text(name: Option<&str>) -> String {
    name.unwrap_or_default().to_owned()
}
