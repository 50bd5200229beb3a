//! What a change of weights would do to the recent requests, and which weight meets a goal on them.
//! Both run on threads of the lowest priority and call no model.
//!
//! [`crate::weights::InForce::choose`] gives the weights of a request now and under the change, as
//! for Rank, and [`counterweight_ranking::preview`] ranks it under both. A preview writes nothing.

mod replay;
mod solve;

use counterweight_ranking::{
    RankingError,
    preview::{Move, Preview, Replay, Summary},
};

use counterweight_serving::{Call, Refusal, WorkError};

pub(crate) use self::replay::Replayed;
use self::replay::{Replayable, columns};
pub(crate) use self::solve::{Answered, Asked, solve};
use crate::{
    engine::Engine,
    error::RequestError,
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
    call: &Call,
    context: Context,
    change: ProfileChange,
    k: usize,
) -> Result<Previewed, RequestError> {
    let recent = engine.recent_requests()?;
    let _place = recent.reserve_preview()?;
    // Not on the threads of lowest priority: they must not take a lock that others wait for.
    let profile = engine.config.profile(&change.at.profile)?;
    let before = engine.weights.logged(profile);
    let what_if = engine.weights.what_if(context, &change, before)?;
    let replayable = Replayable::select(engine, what_if.profile).await?;
    let work = move |stop: &dyn Fn() -> bool| replayable.preview(what_if, k, stop);
    engine.previews.run(call, work).await?
}

impl Replayable {
    /// Ranks all again under both.
    ///
    /// It costs O(n log n) for each request of n candidates, and the configuration bounds the sum of
    /// these. Between two requests it looks whether it should stop.
    fn preview(
        &self,
        what_if: WhatIf,
        k: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Previewed, RequestError> {
        let k = self.places(k);
        let summary = self.summary(&what_if, k, stop).map_err(failed)?;
        let moves = summary.moves.iter().map(|moved| self.moved(moved));
        Ok(Previewed {
            moves: moves.collect(),
            k,
            replayed: self.replayed(),
            summary,
            what_if,
        })
    }

    fn summary(
        &self,
        what_if: &WhatIf,
        k: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Summary, RankingError> {
        let mut preview = Preview::new(k, what_if.after.weights.as_slice().len())?;
        for (record, unit) in self.records.iter().zip(self.units()) {
            if stop() {
                return Err(RankingError::Stopped);
            }
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

fn failed(error: RankingError) -> RequestError {
    match error {
        RankingError::Stopped => WorkError::Refused(Refusal::DeadlineExceeded).into(),
        // A kept request was checked when it was ranked.
        error => RequestError::Internal {
            what: format!("recent requests: {error}"),
        },
    }
}
