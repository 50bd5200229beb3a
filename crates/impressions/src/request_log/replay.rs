//! Ranks what a request log has again, from its own numbers, and computes its probabilities again
//! where the models are at hand.

use std::path::Path;

use counterweight_dataset::{LogColumns, LogPiece, Role};
use counterweight_model::Artefact;
use counterweight_ranking::{combine, top_k};

use super::{
    part::Part,
    rescore::{Rescored, Rescorer},
};
use crate::{columns, error::LogError};

/// How many of the rankings that differ are described; the others are only counted.
const MOST_TOLD: usize = 20;

/// What came of a replay.
#[derive(Debug, Default, PartialEq, serde::Serialize)]
pub struct Replayed {
    /// Rankings that were ranked again.
    pub rankings: u64,
    /// Their candidates.
    pub candidates: u64,
    /// Rankings whose page is another, or that are incomplete.
    pub differing: u64,
    /// The first of them that differ: the ranking, and what differs.
    pub differences: Vec<(String, String)>,
    /// What came of their probabilities, where models were given.
    pub probabilities: Option<Rescored>,
}

/// Ranks every ranking of the parts again: its score is Σ `w` · `p` over the objectives, added in the
/// order of their columns, and its page the first `k` by score, then by id. The probabilities of
/// candidates whose features are logged are computed again by those `artefacts` that ranked them.
///
/// # Errors
/// [`LogError::Dataset`] for a part that cannot be read, [`LogError::Log`] for a file that is not a part
/// of a request log, [`LogError::Model`] for features that their model does not accept.
pub fn replay<'a>(
    parts: impl IntoIterator<Item = &'a Path>,
    artefacts: &[Artefact],
) -> Result<Replayed, LogError> {
    let mut replayed = Replayed {
        probabilities: (!artefacts.is_empty()).then(Rescored::default),
        ..Replayed::default()
    };
    for part in parts {
        replay_part(&Part::open(part)?, artefacts, &mut replayed)?;
    }
    Ok(replayed)
}

/// One ranking, as its rows have it.
#[derive(Default)]
struct Ranking {
    id: String,
    ids: Vec<String>,
    k: f64,
    /// The place of each candidate, from 1; NaN where it was not returned.
    positions: Vec<f64>,
    weights: Vec<f64>,
    /// By objective.
    probabilities: Vec<Vec<f64>>,
}

fn replay_part(
    part: &Part,
    artefacts: &[Artefact],
    replayed: &mut Replayed,
) -> Result<(), LogError> {
    let mut numbers = vec![columns::PLACES.to_owned(), columns::POSITION.to_owned()];
    for objective in &part.objectives {
        numbers.push(columns::weight(objective));
        numbers.push(columns::probability(objective));
    }
    let orders = 2..numbers.len();
    let mut wanted = LogColumns {
        numbers,
        texts: vec![columns::RANKING.to_owned()],
        ..LogColumns::default()
    };
    let rescorer = match artefacts.is_empty() {
        true => None,
        false => Some(Rescorer::new(part, artefacts, 0, &mut wanted)?),
    };
    let mut open: Option<Ranking> = None;
    for piece in part.read(wanted)? {
        let piece = piece?;
        if let (Some(rescorer), Some(rescored)) = (&rescorer, &mut replayed.probabilities) {
            rescorer.add(&piece, rescored)?;
        }
        let objectives = &piece.numbers[orders.clone()];
        let ids = piece.id(Role::Candidate).unwrap_or_default();
        for (row, id) in ids.iter().enumerate() {
            let ranking = &piece.texts[0][row];
            if open.as_ref().is_none_or(|open| open.id != *ranking) {
                if let Some(whole) = open.take() {
                    replayed.add(whole);
                }
                open = Some(Ranking::begin(ranking, &piece, objectives, row));
            }
            if let Some(open) = &mut open {
                open.push(id, &piece, objectives, row);
            }
        }
    }
    if let Some(whole) = open {
        replayed.add(whole);
    }
    Ok(())
}

impl Ranking {
    /// `objectives` are the columns of weights and probabilities, in turn.
    fn begin(id: &str, piece: &LogPiece, objectives: &[Vec<f64>], row: usize) -> Self {
        let weights = objectives.iter().step_by(2);
        let weights: Vec<f64> = weights.map(|column| column[row]).collect();
        Self {
            id: id.to_owned(),
            k: piece.numbers[0][row],
            probabilities: vec![Vec::new(); weights.len()],
            weights,
            ..Self::default()
        }
    }

    fn push(&mut self, id: &str, piece: &LogPiece, objectives: &[Vec<f64>], row: usize) {
        self.ids.push(id.to_owned());
        self.positions.push(piece.numbers[1][row]);
        let columns = objectives.iter().skip(1).step_by(2);
        for (probabilities, column) in self.probabilities.iter_mut().zip(columns) {
            probabilities.push(column[row]);
        }
    }

    /// What differs when it is ranked again.
    fn difference(mut self) -> Option<String> {
        // An objective without a weight was not combined.
        let mut combined = self.weights.iter().map(|weight| !weight.is_nan());
        self.probabilities.retain(|_| combined.next() == Some(true));
        self.weights.retain(|weight| !weight.is_nan());
        if self.probabilities.iter().flatten().any(|p| p.is_nan()) {
            return Some("a probability is missing".to_owned());
        }
        let scores = combine(&self.weights, &self.probabilities);
        let page = top_k(&scores, &self.ids, self.k as usize);
        let mut logged: Vec<(u64, usize)> = Vec::new();
        for (at, position) in self.positions.iter().enumerate() {
            if !position.is_nan() {
                logged.push((*position as u64, at));
            }
        }
        logged.sort_unstable();
        let places = logged.iter().zip(1..);
        if logged.len() != page.len() || places.into_iter().any(|((p, _), place)| *p != place) {
            return Some(format!(
                "it shows {} candidates, and its numbers give a page of {}",
                logged.len(),
                page.len()
            ));
        }
        let differs = logged
            .iter()
            .zip(&page)
            .find(|((_, at), again)| at != *again);
        differs.map(|((place, at), again)| {
            format!(
                "place {place} shows {:?}, and its numbers put {:?} there",
                self.ids[*at], self.ids[*again]
            )
        })
    }
}

impl Replayed {
    fn add(&mut self, ranking: Ranking) {
        self.rankings += 1;
        self.candidates += ranking.ids.len() as u64;
        let id = ranking.id.clone();
        if let Some(difference) = ranking.difference() {
            self.differing += 1;
            if self.differences.len() < MOST_TOLD {
                self.differences.push((id, difference));
            }
        }
    }
}
