//! Samples of weights and rewards at points of λ, and of the uniform policy.

use std::collections::HashSet;

use counterweight_ranking::ope::{Expected, Sample};

use super::{
    EstimateRow, Explorer, MOST_CONTRADICTED, OpeOptions, OpeReport, PolicyRow, no_exploration,
    rank::{Shown, explored, page},
    row,
};
use crate::{Log, OfflineError, Request, Summary, question::Asked, swept::wrong};

/// Estimators by weighting, plain and normalised.
const NAMES: [[&str; 2]; 3] = [["SIPS", "SNSIPS"], ["RIPS", "SNRIPS"], ["IIPS", "SNIIPS"]];
const POSITION: usize = 2;

/// Samples at points of λ.
#[derive(Debug)]
pub(crate) struct Points {
    at: Vec<f64>,
    explorer: Explorer,
    /// By objective and point: slate, head and place weights, then place weights with a reward model.
    samples: Vec<Vec<[Sample; 4]>>,
    requests: usize,
    unlabelled: u64,
    contradicted: u64,
    whole: bool,
    range: Option<(f64, f64)>,
}

/// What one request says of one objective at one point.
struct Terms {
    rewards: Vec<f64>,
    weights: [Vec<f64>; 3],
    logged: Vec<f64>,
    target: f64,
}

impl Points {
    pub(crate) fn new(asked: &Asked, at: Vec<f64>) -> Self {
        let objectives = asked.objectives.len();
        Self {
            samples: (0..objectives)
                .map(|_| at.iter().map(|_| Default::default()).collect())
                .collect(),
            at,
            explorer: Explorer::default(),
            requests: 0,
            unlabelled: 0,
            contradicted: 0,
            whole: true,
            range: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests == 0 && self.contradicted == 0
    }

    pub(crate) fn add(
        &mut self,
        asked: &Asked,
        log: &str,
        batch: &[Request],
    ) -> Result<(), OfflineError> {
        for request in batch {
            let shown = match self.explorer.shown(log, request)? {
                None => continue,
                Some(Err(())) => {
                    self.contradicted += 1;
                    continue;
                }
                Some(Ok(shown)) => shown,
            };
            if !labelled(asked, request, &shown) {
                self.unlabelled += 1;
                continue;
            }
            if let Some((low, high)) = super::first_range(std::slice::from_ref(request)) {
                let own = self.range.unwrap_or((low, high));
                self.range = Some((own.0.max(low), own.1.min(high)));
            }
            self.requests += 1;
            self.whole &= shown.whole;
            for point in 0..self.at.len() {
                self.add_point(asked, log, request, &shown, point)?;
            }
        }
        Ok(())
    }

    fn add_point(
        &mut self,
        asked: &Asked,
        log: &str,
        request: &Request,
        shown: &Shown,
        point: usize,
    ) -> Result<(), OfflineError> {
        let refused = |source| wrong(log, source);
        let lambda = self.at[point];
        let supported = explored(request, lambda);
        let target = page(asked, request, lambda, request.k);
        for (objective, samples) in self.samples.iter_mut().enumerate() {
            let Some(terms) = terms(asked, request, shown, &target, objective, supported) else {
                continue; // the log has no outcome of it
            };
            let samples = &mut samples[point];
            for (sample, weights) in samples.iter_mut().zip(&terms.weights) {
                if !weights.is_empty() {
                    sample
                        .push(&terms.rewards, weights, None)
                        .map_err(refused)?;
                }
            }
            let expected = Expected {
                logged: &terms.logged,
                target: terms.target,
            };
            samples[3]
                .push(&terms.rewards, &terms.weights[POSITION], Some(expected))
                .map_err(refused)?;
            if !supported {
                samples.iter_mut().for_each(Sample::count_unsupported);
            }
        }
        Ok(())
    }

    /// Refuses a log that contradicts itself.
    pub(crate) fn check(&self, log: &Log) -> Result<(), OfflineError> {
        let all = self.requests as f64 + self.contradicted as f64;
        if self.contradicted as f64 > MOST_CONTRADICTED * all {
            return Err(log.wrong(format!(
                "of {} requests that drew λ, {} were shown what no λ of their range gives by the logged probabilities; the probabilities or weights of the log are not those that ranked",
                all, self.contradicted
            )));
        }
        if self.requests == 0 {
            return Err(no_exploration(log));
        }
        Ok(())
    }

    pub(crate) fn report(&self, asked: &Asked, options: &OpeOptions) -> OpeReport {
        let mut rows = Vec::new();
        for (objective, samples) in asked.objectives.iter().zip(&self.samples) {
            for (lambda, samples) in self.at.iter().zip(samples) {
                if samples[POSITION].is_empty() {
                    continue;
                }
                rows.push(PolicyRow {
                    lambda: Some(*lambda),
                    objective: objective.clone(),
                    estimates: self.estimates(samples, options),
                });
            }
        }
        OpeReport {
            requests: self.requests,
            unlabelled: self.unlabelled,
            contradicted: self.contradicted,
            range: self.range,
            level: options.level,
            rows,
        }
    }

    fn estimates(&self, samples: &[Sample; 4], options: &OpeOptions) -> Vec<EstimateRow> {
        let mut rows = Vec::new();
        for (sample, [plain, normalised]) in samples.iter().zip(NAMES) {
            if sample.is_empty() || (!self.whole && plain != NAMES[POSITION][0]) {
                continue;
            }
            let diagnostics = sample.diagnostics();
            rows.push(row(plain, sample.ips(), &diagnostics, options));
            rows.push(row(normalised, sample.snips(), &diagnostics, options));
        }
        rows.push(row(
            "DR",
            samples[3].ips(),
            &samples[3].diagnostics(),
            options,
        ));
        rows
    }
}

/// Whether all outcomes of what was shown are known, of every objective that has any.
fn labelled(asked: &Asked, request: &Request, shown: &Shown) -> bool {
    let known = |m: usize| {
        let outcomes = shown
            .places
            .iter()
            .map(|&(candidate, _)| request.realised[m][candidate]);
        let unknown = outcomes.filter(|outcome| outcome.is_nan()).count();
        (unknown == 0, unknown == shown.places.len())
    };
    let each: Vec<(bool, bool)> = asked.places.iter().map(|&m| known(m)).collect();
    each.iter().all(|(all, none)| *all || *none) && each.iter().any(|(all, _)| *all)
}

/// Whether all outcomes of what was shown are known, of every objective.
pub(super) fn labelled_everywhere(asked: &Asked, request: &Request, shown: &Shown) -> bool {
    let mut candidates = shown.places.iter();
    candidates.all(|&(candidate, _)| {
        let mut each = asked.places.iter();
        each.all(|&m| !request.realised[m][candidate].is_nan())
    })
}

/// Rewards and weights of a request; nothing where the log has no outcome of the objective.
fn terms(
    asked: &Asked,
    request: &Request,
    shown: &Shown,
    target: &[usize],
    objective: usize,
    supported: bool,
) -> Option<Terms> {
    let m = asked.places[objective];
    let places = request.k.min(request.ids.len());
    let all: f64 = (0..places).map(|place| asked.discount.at(place)).sum();
    let share = |place: usize| asked.discount.at(place) / all;
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
        if reward.is_nan() {
            return None;
        }
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

/// Doubly robust contributions of each request to one objective at points of λ, for curves that are drawn anew by user.
#[derive(Debug, Default)]
pub(crate) struct Contributions {
    explorer: Explorer,
}

impl Contributions {
    /// By objective of `objectives`, by point: what the request adds, and its weights place by place. Nothing where the request does not
    /// count.
    pub(crate) fn of(
        &mut self,
        asked: &Asked,
        log: &str,
        request: &Request,
        objectives: [usize; 2],
        at: &[f64],
    ) -> Result<Option<Contribution>, OfflineError> {
        let shown = match self.explorer.shown(log, request)? {
            Some(Ok(shown)) if labelled(asked, request, &shown) => shown,
            _ => return Ok(None),
        };
        let each = at.iter().map(|&lambda| {
            let target = page(asked, request, lambda, request.k);
            let supported = explored(request, lambda);
            let mut values = [f64::NAN; 2];
            let mut weights = Vec::new();
            for (value, objective) in values.iter_mut().zip(objectives) {
                let terms = terms(asked, request, &shown, &target, objective, supported)?;
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

/// The uniform policy: single actions with the propensities that the log has.
pub(super) fn uniform(
    log: &mut Log,
    options: &OpeOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(OpeReport, Summary), OfflineError> {
    let objectives: Vec<String> = log
        .objectives()
        .iter()
        .map(|objective| objective.name.clone())
        .collect();
    let mut explorer = Explorer::default();
    let mut ids: HashSet<String> = HashSet::new();
    // By objective: reward, propensity and the number of alternatives, 0 where all of the log's are.
    let mut actions: Vec<Vec<(f64, f64, usize)>> = vec![Vec::new(); objectives.len()];
    let (mut unlabelled, mut contradicted) = (0, 0);
    let name = log.name().to_owned();
    let summary = log.read(progress, &mut |batch: &[Request]| {
        for request in batch {
            let shown = match explorer.shown(&name, request)? {
                None => continue,
                Some(Err(())) => {
                    contradicted += 1;
                    continue;
                }
                Some(Ok(shown)) => shown,
            };
            let alternatives = if request.ids.len() > 1 {
                request.ids.len()
            } else {
                0
            };
            ids.extend(request.ids.iter().cloned());
            for (&(candidate, _), &propensity) in
                shown.places.iter().zip(&shown.propensities.position)
            {
                let mut known = false;
                for (own, outcomes) in actions.iter_mut().zip(&request.realised) {
                    let reward = outcomes[candidate];
                    if !reward.is_nan() {
                        own.push((reward, propensity, alternatives));
                        known = true;
                    }
                }
                unlabelled += u64::from(!known);
            }
        }
        Ok(())
    })?;
    let mut rows = Vec::new();
    let mut requests = 0;
    for (objective, actions) in objectives.iter().zip(&actions) {
        if actions.is_empty() {
            continue;
        }
        let mut sample = Sample::default();
        for &(reward, propensity, alternatives) in actions {
            let alternatives = if alternatives == 0 {
                ids.len()
            } else {
                alternatives
            };
            sample
                .push_action(reward, propensity, 1.0 / alternatives as f64, None)
                .map_err(|source| wrong(&name, source))?;
        }
        requests = requests.max(sample.len());
        let diagnostics = sample.diagnostics();
        rows.push(PolicyRow {
            lambda: None,
            objective: objective.clone(),
            estimates: vec![
                row("IPW", sample.ips(), &diagnostics, options),
                row("SNIPW", sample.snips(), &diagnostics, options),
            ],
        });
    }
    if rows.is_empty() {
        return Err(no_exploration(log));
    }
    Ok((
        OpeReport {
            requests,
            unlabelled,
            contradicted,
            range: None,
            level: options.level,
            rows,
        },
        summary,
    ))
}
