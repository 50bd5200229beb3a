//! A well-behaved caller beside an attack, who checks every answer.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use counterweight_proto::{
    code_name,
    counterweight::v1::{
        GetWeightsRequest, RankRequest, RankResponse, ranking_service_client::RankingServiceClient,
        weights_service_client::WeightsServiceClient,
    },
};
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint},
};

use crate::requests::{preview, probabilities, rank_columns, rank_models};

/// Candidates of each request.
const CANDIDATES: usize = 50;
/// How long the caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the caller was answered.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// Calls that succeeded.
    pub succeeded: u64,
    /// Calls that failed, by code and message.
    pub failed: BTreeMap<String, u64>,
    /// What was wrong with answers.
    pub wrong: Vec<String>,
    /// How long each call of Rank took.
    pub times: Vec<Duration>,
}

impl Served {
    /// The share of calls that succeeded; NaN without calls.
    #[must_use]
    pub fn share(&self) -> f64 {
        let failed: u64 = self.failed.values().sum();
        self.succeeded as f64 / (self.succeeded + failed) as f64
    }
}

/// A caller with one connection to the combiner, who waits for each answer before the next call.
#[derive(Debug)]
pub struct Ordinary {
    ranking: RankingServiceClient<Channel>,
    weights: WeightsServiceClient<Channel>,
    by_model: RankResponse,
}

impl Ordinary {
    /// Connects, waits until the model has been reached, and keeps its answer as the right one.
    ///
    /// # Errors
    /// The combiner or the model does not answer.
    pub async fn connect(address: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let channel = endpoint.connect().await?;
        let mut ranking = RankingServiceClient::new(channel.clone());
        let mut by_model = ranking.rank(within(rank_models(CANDIDATES))).await;
        let begun = Instant::now();
        while by_model.is_err() && begun.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            by_model = ranking.rank(within(rank_models(CANDIDATES))).await;
        }
        // Previews need a recent request.
        ranking.rank(within(rank_columns(CANDIDATES))).await?;
        Ok(Self {
            by_model: by_model?.into_inner(),
            ranking,
            weights: WeightsServiceClient::new(channel),
        })
    }

    /// Calls until the time is over.
    pub async fn call_for(&mut self, time: Duration) -> Served {
        let mut served = Served::default();
        let begun = Instant::now();
        let (columns, models) = (rank_columns(CANDIDATES), rank_models(CANDIDATES));
        while begun.elapsed() < time {
            for _ in 0..4 {
                let answer = self.rank(&columns, &mut served).await;
                served.take(answer.map(|answer| check_columns(&answer)));
                let answer = self.rank(&models, &mut served).await;
                served.take(answer.map(|answer| self.check_models(&answer)));
            }
            let weights = self
                .weights
                .get_weights(within(GetWeightsRequest::default()));
            served.take(weights.await.map(|_| Ok(())));
            let preview = self.weights.preview_weights(within(preview(-2.0))).await;
            served.take(preview.map(|_| Ok(())));
        }
        served
    }

    async fn rank(
        &mut self,
        request: &RankRequest,
        served: &mut Served,
    ) -> Result<RankResponse, Status> {
        let begun = Instant::now();
        let answer = self.ranking.rank(within(request.clone())).await;
        served.times.push(begun.elapsed());
        answer.map(tonic::Response::into_inner)
    }

    /// The same request to the same model has the same answer.
    fn check_models(&self, answer: &RankResponse) -> Result<(), String> {
        match answer.candidates == self.by_model.candidates {
            true => Ok(()),
            false => Err(format!("the model's ranking changed: {answer:?}")),
        }
    }
}

impl Served {
    fn take(&mut self, outcome: Result<Result<(), String>, Status>) {
        match outcome {
            Ok(checked) => {
                self.succeeded += 1;
                self.wrong.extend(checked.err());
            }
            Err(status) => {
                let text = format!("{}: {}", code_name(status.code()), status.message());
                *self.failed.entry(text).or_default() += 1;
            }
        }
    }
}

fn within<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

/// Computes every score from the request and the answer's weights, and the order from the scores.
fn check_columns(answer: &RankResponse) -> Result<(), String> {
    let columns = [probabilities(CANDIDATES, 1), probabilities(CANDIDATES, 2)];
    let weights: Vec<f64> = answer.objectives.iter().map(|own| own.weight).collect();
    if weights.len() != columns.len() || answer.candidates.len() != CANDIDATES {
        return Err(format!("not two objectives and all candidates: {answer:?}"));
    }
    for candidate in &answer.candidates {
        let at: usize = candidate.id[1..]
            .parse()
            .map_err(|_| candidate.id.clone())?;
        let terms = weights.iter().zip(&columns);
        let score: f64 = terms.map(|(weight, column)| weight * column[at]).sum();
        if score != candidate.score {
            return Err(format!("{candidate:?} has the score {score}"));
        }
    }
    let sorted = answer
        .candidates
        .is_sorted_by(|a, b| a.score > b.score || (a.score == b.score && a.id < b.id));
    match sorted {
        true => Ok(()),
        false => Err(format!("not in the order of scores: {answer:?}")),
    }
}
