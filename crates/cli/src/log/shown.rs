//! One ranking with what is known about its weights, and all of it as JSON.

use std::path::PathBuf;

use counterweight_impressions::{Explained, LoggedRanking};
use counterweight_ranking::{Density, contribution, symbol};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::revision::Revision;

/// A ranking, with what is known about its weights.
pub(super) struct Shown {
    pub(super) ranking: LoggedRanking,
    pub(super) part: PathBuf,
    pub(super) scores: Vec<f64>,
    /// Whether any model was given.
    pub(super) has_models: bool,
    /// What the combiner said, where one was asked.
    pub(super) revision: Option<Revision>,
    /// The profile's own weights, one for each combined objective, where they are known.
    pub(super) own: Option<Vec<f64>>,
}

impl Shown {
    pub(super) fn new(
        ranking: LoggedRanking,
        part: PathBuf,
        has_models: bool,
        revision: Option<Revision>,
    ) -> Self {
        Self {
            scores: ranking.scores(),
            own: own_weights(&ranking, revision.as_ref()),
            ranking,
            part,
            has_models,
            revision,
        }
    }

    /// The weights that were combined.
    pub(super) fn weights(&self) -> Vec<f64> {
        let objectives = self.ranking.request.objectives.iter();
        objectives.map(|objective| objective.weight).collect()
    }

    /// The page at the profile's own weights, where these are known and others applied.
    pub(super) fn page_at_own(&self) -> Option<Vec<usize>> {
        let own = self.own.as_ref()?;
        (*own != self.weights()).then(|| self.ranking.page_at(own))
    }

    /// Where a candidate was shown, from 1.
    pub(super) fn place(&self, candidate: usize) -> Option<usize> {
        let mut page = self.ranking.request.page.iter();
        page.position(|&at| at == candidate).map(|place| place + 1)
    }

    /// Everything in numbers.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        let request = &self.ranking.request;
        let set_by = self.revision.as_ref().and_then(|own| own.set_by.as_ref());
        let set_by = set_by.map(|set_by| {
            let time = set_by.time.as_ref().map(ToString::to_string);
            json!({ "author": set_by.author, "reason": set_by.reason, "time": time })
        });
        let time = Timestamp::from_millisecond(request.time_ms).map(|time| time.to_string());
        let draw = request.draw.map(|draw| {
            let (low, high) = draw.density.range();
            let density = match draw.density {
                Density::Uniform { .. } => "uniform",
                Density::LogUniform { .. } => "log_uniform",
            };
            json!({ "lambda": draw.lambda, "low": low, "high": high, "density": density, "seed": draw.seed })
        });
        let objectives = request
            .objectives
            .iter()
            .zip(&self.ranking.explained)
            .enumerate();
        let objectives = objectives.map(|(at, (objective, explained))| {
            let not_explained = match explained {
                Explained::Candidates(_) => None,
                Explained::Not(why) => Some(why),
            };
            json!({
                "objective": objective.name,
                "symbol": symbol(at),
                "weight": objective.weight,
                "own_weight": self.own.as_ref().map(|own| own[at]),
                "model": objective.model,
                "calibrator": objective.calibrator,
                "not_explained": not_explained,
            })
        });
        let page_at_own = self.page_at_own().map(|page| {
            let places = page.into_iter().enumerate().map(|(place, at)| {
                json!({ "place": place + 1, "candidate": request.candidates[at], "was_at": self.place(at) })
            });
            places.collect::<Vec<_>>()
        });
        Ok(json!({
            "ranking_id": self.ranking.ranking,
            "request_id": request.id,
            "unit": request.user,
            "time": time.ok(),
            "profile": request.profile,
            "revision": request.revision,
            "set_by": set_by,
            "segment": request.segment,
            "arm": request.arm,
            "draw": draw,
            "k": request.k,
            "candidates": request.candidates.len(),
            "objectives": objectives.collect::<Vec<_>>(),
            "not_combined": self.ranking.not_combined,
            "page": self.page_json(),
            "page_at_own_weights": page_at_own,
            "part": self.part,
        }))
    }

    fn page_json(&self) -> Value {
        let request = &self.ranking.request;
        let places = request.page.iter().enumerate().map(|(place, &at)| {
            let objectives = request.objectives.iter().zip(&self.ranking.explained);
            let objectives = objectives.map(|(objective, explained)| {
                let rows = match explained {
                    Explained::Candidates(rows) => &rows[..],
                    Explained::Not(_) => &[],
                };
                let row = rows.iter().find(|row| row.candidate == at);
                let probability = objective.probabilities[at];
                json!({
                    "objective": objective.name,
                    "probability": probability,
                    "raw": objective.raw.get(at),
                    "contribution": contribution(objective.weight, probability),
                    "logit": row.map(|row| json!({
                        "offset": row.offset,
                        "features": row.features,
                        "logit": row.logit,
                        "probability": row.probability,
                    })),
                })
            });
            json!({
                "place": place + 1,
                "candidate": request.candidates[at],
                "score": self.scores[at],
                "objectives": objectives.collect::<Vec<_>>(),
            })
        });
        places.collect()
    }
}

/// The profile's own weights, one for each combined objective. Where nobody says what they were, they
/// are known only if nothing replaced them for this request.
fn own_weights(ranking: &LoggedRanking, revision: Option<&Revision>) -> Option<Vec<f64>> {
    let request = &ranking.request;
    let objectives = request.objectives.iter();
    if let Some(own) = revision.and_then(|revision| revision.own.as_ref()) {
        let weight = |name: &String| Some(own.iter().find(|(own, _)| own == name)?.1);
        return objectives
            .map(|objective| weight(&objective.name))
            .collect();
    }
    let replaced = request.segment.is_some() || request.arm.is_some() || request.draw.is_some();
    (!replaced).then(|| objectives.map(|objective| objective.weight).collect())
}
