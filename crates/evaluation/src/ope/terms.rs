//! What one request says of one objective under one target: rewards, weights by each weighting, and
//! what the model expects.

use counterweight_impressions::Request;

use super::rank::{Explorer, Shown, explored, page};
use crate::{error::EvaluationError, question::CheckedQuestion};

/// Where the weights of single places stand in [`Terms::weights`], after those of slates and of
/// heads.
pub(super) const POSITION: usize = 2;

/// What one request says of one objective at one point.
pub(super) struct Terms {
    pub(super) rewards: Vec<f64>,
    pub(super) weights: [Vec<f64>; 3],
    pub(super) logged: Vec<f64>,
    pub(super) target: f64,
}

/// Whether all outcomes of what was shown are known, of every objective that the log has outcomes
/// of.
pub(super) fn labelled(question: &CheckedQuestion, request: &Request, shown: &Shown) -> bool {
    let counted = || question.places.iter().zip(&question.outcomes);
    let mut candidates = shown.places.iter();
    counted().any(|(_, counts)| *counts)
        && candidates.all(|&(candidate, _)| {
            counted().all(|(&m, counts)| !counts || !request.realised[m][candidate].is_nan())
        })
}

/// Rewards and weights of a request; nothing where the log has no outcome of the objective.
pub(super) fn terms(
    question: &CheckedQuestion,
    request: &Request,
    shown: &Shown,
    target: &[usize],
    objective: usize,
    supported: bool,
) -> Option<Terms> {
    if !question.outcomes[objective] {
        return None;
    }
    let m = question.places[objective];
    let places = request.k.min(request.ids.len());
    let all: f64 = (0..places)
        .map(|place| question.discount.weight(place))
        .sum();
    let share = |place: usize| question.discount.weight(place) / all;
    let expects = &request.probabilities[m];
    let mut terms = Terms {
        rewards: Vec::new(),
        weights: Default::default(),
        logged: Vec::new(),
        target: target
            .iter()
            .enumerate()
            .map(|(place, &candidate)| share(place) * expects[candidate])
            .sum(),
    };
    let same = |&(candidate, place): &(usize, usize)| target.get(place) == Some(&candidate);
    let whole = shown.places.len() == target.len() && shown.places.iter().all(same);
    let mut so_far = supported;
    for (at, pair) in shown.places.iter().enumerate() {
        let &(candidate, place) = pair;
        let reward = request.realised[m][candidate];
        so_far &= same(pair);
        terms.rewards.push(share(place) * reward);
        terms.logged.push(share(place) * expects[candidate]);
        let inverse = |counts: bool, propensity: f64| if counts { 1.0 / propensity } else { 0.0 };
        let propensities = &shown.propensities;
        if shown.whole {
            terms.weights[0].push(inverse(whole && supported, propensities.slate));
            terms.weights[1].push(inverse(so_far, propensities.prefix[at]));
        }
        terms.weights[POSITION].push(inverse(same(pair) && supported, propensities.position[at]));
    }
    Some(terms)
}

/// Gain and cost at each point, and the weights of the places there.
pub(crate) type Contribution = Vec<([f64; 2], Vec<f64>)>;

/// Doubly robust contributions of each request to one objective at points of λ, for curves that are
/// drawn anew by user.
#[derive(Debug, Default)]
pub(crate) struct Contributions {
    explorer: Explorer,
}

impl Contributions {
    /// By objective of `objectives`, by point: what the request adds, and its weights place by
    /// place. Nothing where the request does not count.
    pub(crate) fn contribution(
        &mut self,
        question: &CheckedQuestion,
        log: &str,
        request: &Request,
        objectives: [usize; 2],
        at: &[f64],
    ) -> Result<Option<Contribution>, EvaluationError> {
        let shown = match self.explorer.shown(log, request)? {
            Some(Ok(shown)) if labelled(question, request, &shown) => shown,
            _ => return Ok(None),
        };
        let each = at.iter().map(|&lambda| {
            let target = page(question, request, lambda, request.k);
            let supported = explored(request, lambda);
            let mut values = [f64::NAN; 2];
            let mut weights = Vec::new();
            for (value, objective) in values.iter_mut().zip(objectives) {
                let terms = terms(question, request, &shown, &target, objective, supported)?;
                let rows = terms.rewards.iter().zip(&terms.logged);
                let rest: f64 = rows
                    .zip(&terms.weights[POSITION])
                    .map(|((reward, expects), weight)| weight * (reward - expects))
                    .sum();
                *value = terms.target + rest;
                let [_, _, position] = terms.weights;
                weights = position;
            }
            Some((values, weights))
        });
        Ok(each.collect())
    }
}
