//! Computes how far each weight may move before the page of an answer changes, and before each of
//! its candidates leaves it.

use counterweight_ranking::stability::{Range, ranges, staying};
use counterweight_serving::{Call, Refusal, WorkError, WorkPool};

use crate::{error::RequestError, ranking::Ranking};

/// The most candidates times places of the page. The cost grows with both; up to here it is a
/// fraction of a second.
const MOST: usize = 1_000_000;
const EVERYWHERE: Range = Range {
    low: f64::NEG_INFINITY,
    high: f64::INFINITY,
};

/// Ranges of the weights of one answer, each with the other weights fixed; rounded inward.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stability {
    /// For each objective, the range in which the page does not change.
    pub(crate) page: Vec<Range>,
    /// For each objective, the range in which each candidate of the page stays on it, best first.
    pub(crate) candidates: Vec<Vec<Range>>,
}

impl Stability {
    /// Computes the ranges of a ranking on a thread for work, so that no other request waits. For
    /// each objective it costs O(k · (n + k log k)), for a page of k of n candidates.
    pub(crate) async fn compute(
        pool: &WorkPool,
        call: &Call,
        ranking: Ranking,
    ) -> Result<(Ranking, Self), RequestError> {
        let (places, candidates) = (ranking.order.len(), ranking.ids.len());
        if places < candidates && places.saturating_mul(candidates) > MOST {
            return Err(RequestError::Field {
                field: "stability",
                problem: format!(
                    "is too much work for {places} places of {candidates} candidates: ask for a \
                     smaller limit, so that their product is at most {MOST}"
                ),
            });
        }
        let work = |stop: &dyn Fn() -> bool| {
            let stability = Self::new(&ranking, stop);
            (ranking, stability)
        };
        let (ranking, stability) = pool.run(call, work).await?;
        let stopped = || WorkError::Refused(Refusal::DeadlineExceeded);
        Ok((ranking, stability.ok_or_else(stopped)?))
    }

    /// None when `stop` ended it.
    fn new(ranking: &Ranking, stop: &dyn Fn() -> bool) -> Option<Self> {
        // Ties break on the id, so the columns are put in that order.
        let mut by_id: Vec<usize> = (0..ranking.ids.len()).collect();
        by_id.sort_unstable_by_key(|&at| &ranking.ids[at]);
        let mut place = vec![0; by_id.len()];
        by_id
            .iter()
            .enumerate()
            .for_each(|(to, &from)| place[from] = to);
        let page: Vec<usize> = ranking.order.iter().map(|&at| place[at]).collect();
        let objectives = &ranking.objectives;
        let weights: Vec<f64> = objectives
            .iter()
            .map(|objective| objective.weight)
            .collect();
        let columns: Vec<Vec<f64>> = objectives
            .iter()
            .map(|objective| {
                let probabilities = &objective.answer.probabilities;
                by_id.iter().map(|&at| probabilities[at]).collect()
            })
            .collect();
        let candidates = (0..weights.len()).map(|objective| {
            if page.len() == by_id.len() {
                // No candidate can leave a page that shows all.
                return Some(vec![EVERYWHERE; page.len()]);
            }
            (!stop()).then(|| staying(&weights, &columns, objective, &page))
        });
        Some(Self {
            candidates: candidates.collect::<Option<_>>()?,
            page: ranges(&weights, &columns, &page),
        })
    }
}
