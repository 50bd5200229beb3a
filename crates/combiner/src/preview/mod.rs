//! Previews what a change of weights would do to the recent requests, and solves for the weight
//! that meets a goal on them. Both run on the thread of the recent requests and call no model.
//!
//! [`crate::weights::InForce::choose`] gives the weights of a request now and under the change, as
//! for Rank, and [`counterweight_ranking::preview`] ranks it under both. A preview writes nothing.

mod replay;
mod solve;

use counterweight_ranking::{
    RankingError,
    preview::{Move, Preview, Replay, Summary},
};

pub(crate) use self::replay::Replayed;
use self::replay::{Replayable, columns};
pub(crate) use self::solve::{Answered, Asked, solve};
use crate::{
    engine::Engine,
    error::RequestError,
    recent_requests::Recent,
    weights::{Context, ProfileChange, WhatIf},
};

/// The effect of a change.
#[derive(Debug)]
pub(crate) struct Previewed {
    pub(crate) what_if: WhatIf,
    pub(crate) k: usize,
    pub(crate) replayed: Replayed,
    pub(crate) summary: Summary,
    /// Those of the summary, with names.
    pub(crate) moves: Vec<Moved>,
}

/// One candidate that moves.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) request_id: String,
    pub(crate) candidate_id: String,
    /// Places from 1.
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// In objective order.
    pub(crate) probabilities: Vec<f64>,
}

/// Previews a change of a profile; k = 0 takes the page size of most requests.
pub(crate) async fn preview(
    engine: &Engine,
    context: Context,
    change: ProfileChange,
    k: usize,
) -> Result<Previewed, RequestError> {
    let recent = engine.recent_requests()?;
    let place = recent.reserve_place()?;
    // Not on the worker: a thread of lowest priority must not take a lock that others wait for.
    let what_if = engine.weights.what_if(context, &change)?;
    let config = engine.config.clone();
    let work = move |recent: &[Recent]| {
        let replayable = Replayable::new(&config, what_if.profile, recent)?;
        replayable.preview(what_if, k)
    };
    recent.run(&place, work).await?
}

impl Replayable {
    /// Ranks all requests again under both weight sets.
    fn preview(&self, what_if: WhatIf, k: usize) -> Result<Previewed, RequestError> {
        let k = self.places(k);
        let summary = self.summary(&what_if, k).map_err(|error| broken(&error))?;
        let moves = summary.moves.iter().map(|moved| self.moved(moved));
        Ok(Previewed {
            moves: moves.collect(),
            k,
            replayed: self.replayed(),
            summary,
            what_if,
        })
    }

    fn summary(&self, what_if: &WhatIf, k: usize) -> Result<Summary, RankingError> {
        let mut preview = Preview::new(k, what_if.after.weights.as_slice().len())?;
        for (record, unit) in self.records.iter().zip(self.units()) {
            preview.push(&Replay {
                unit,
                probabilities: &columns(record),
                before: &what_if.before.choose(record.context()).weights,
                after: &what_if.after.choose(record.context()).weights,
            })?;
        }
        preview.finish()
    }

    fn moved(&self, moved: &Move) -> Moved {
        let record = &self.records[moved.request];
        let probability = |column: &[f64]| column[moved.candidate];
        Moved {
            request_id: record.request_id.to_string(),
            candidate_id: record.ids.get(moved.candidate).to_owned(),
            from: moved.from,
            to: moved.to,
            probabilities: columns(record).into_iter().map(probability).collect(),
        }
    }
}

/// An internal error: a kept request was checked when it was ranked, so this cannot happen.
fn broken(error: &RankingError) -> RequestError {
    RequestError::Internal {
        what: format!("recent requests: {error}"),
    }
}
