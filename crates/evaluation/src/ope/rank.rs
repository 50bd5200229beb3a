//! One explored request: the propensities of what was shown, and what a target λ would show in its
//! place.

use counterweight_impressions::{Exploration, Request};
use counterweight_ranking::{combine, sweep::Walk};

use super::propensity::{Draw, Propensities};
use crate::{
    error::{EvaluationError, wrong},
    question::CheckedQuestion,
};

/// Propensities below this are narrower than what doubles tell apart.
const LEAST: f64 = 1e-12;

/// Finds propensities; its memory is used again from request to request.
#[derive(Debug, Default)]
pub(crate) struct Explorer {
    walk: Walk,
}

/// What was shown, place by place.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// Candidates with their places, ascending.
    pub(crate) places: Vec<(usize, usize)>,
    /// Of the whole slate, its heads and its places; of logged propensities only the places are
    /// known.
    pub(crate) propensities: Propensities,
    /// Whether slate and heads are known.
    pub(crate) whole: bool,
}

impl Explorer {
    /// What was shown, with its propensities; nothing where the request did not explore. `Err(())`
    /// inside: λ and probabilities cannot have given it.
    pub(crate) fn shown(
        &mut self,
        log: &str,
        request: &Request,
    ) -> Result<Option<Result<Shown, ()>>, EvaluationError> {
        let Some(logged) = &request.logged else {
            return Ok(None);
        };
        let (propensities, whole) = match &logged.exploration {
            Exploration::Lambda {
                density,
                fixed,
                swept,
            } => {
                let draw = Draw {
                    fixed,
                    swept,
                    density: *density,
                };
                let slate: Vec<usize> = logged
                    .shown
                    .iter()
                    .map(|&(candidate, _)| candidate)
                    .collect();
                let propensities = draw
                    .propensities(&mut self.walk, &slate)
                    .map_err(|source| wrong(log, source))?;
                if propensities.slate < LEAST {
                    return Ok(Some(Err(())));
                }
                (propensities, true)
            }
            Exploration::Propensities(position) => (
                Propensities {
                    slate: f64::NAN,
                    prefix: Vec::new(),
                    position: position.clone(),
                },
                false,
            ),
        };
        Ok(Some(Ok(Shown {
            places: logged.shown.clone(),
            propensities,
            whole,
        })))
    }
}

/// Whether a target range holds λ: a target beyond what was explored has no support.
pub(crate) fn explored(request: &Request, lambda: f64) -> bool {
    match request.logged.as_ref().map(|logged| &logged.exploration) {
        Some(Exploration::Lambda { density, .. }) => {
            let (low, high) = density.range();
            (low..=high).contains(&lambda)
        }
        _ => true,
    }
}

/// The page that ranking with λ shows: score descending, ties by id ascending.
pub(crate) fn page(
    question: &CheckedQuestion,
    request: &Request,
    lambda: f64,
    places: usize,
) -> Vec<usize> {
    let columns: Vec<&[f64]> = question
        .places
        .iter()
        .map(|&m| request.probabilities[m].as_slice())
        .collect();
    let scores = combine(&question.weights_at(lambda), &columns);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let places = places.min(order.len());
    let better = |&a: &usize, &b: &usize| scores[b].total_cmp(&scores[a]).then(a.cmp(&b));
    if places > 0 && places < order.len() {
        order.select_nth_unstable_by(places - 1, better);
        order.truncate(places);
    }
    order.sort_unstable_by(better);
    order
}
