//! Samples of weights and rewards at points of λ, and of the uniform policy.

use counterweight_impressions::{Log, Request};

use super::{
    range::{first_range, no_exploration},
    rank::{Explorer, Shown, explored, page},
    report::{EstimateRow, OpeOptions, OpeReport, PolicyRow, row},
    sample::{Expected, Sample},
    terms::{POSITION, labelled, terms},
};
use crate::{
    error::{EvaluationError, wrong},
    question::CheckedQuestion,
};

/// More requests than this share whose slate the log's own probabilities and λ cannot have given:
/// the log contradicts itself.
const MOST_CONTRADICTED: f64 = 0.01;
/// Estimators by weighting, plain and normalised.
const NAMES: [[&str; 2]; 3] = [["SIPS", "SNSIPS"], ["RIPS", "SNRIPS"], ["IIPS", "SNIIPS"]];

/// Samples at points of λ.
#[derive(Debug)]
pub(crate) struct Points {
    at: Vec<f64>,
    explorer: Explorer,
    /// By objective and point: slate, head and place weights, then place weights with a reward
    /// model.
    samples: Vec<Vec<[Sample; 4]>>,
    requests: usize,
    unlabelled: u64,
    contradicted: u64,
    whole: bool,
    range: Option<(f64, f64)>,
}

impl Points {
    pub(crate) fn new(question: &CheckedQuestion, at: Vec<f64>) -> Self {
        let objectives = question.objectives.len();
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
        question: &CheckedQuestion,
        log: &str,
        batch: &[Request],
    ) -> Result<(), EvaluationError> {
        for request in batch {
            let shown = match self.explorer.shown(log, request)? {
                None => continue,
                Some(Err(())) => {
                    self.contradicted += 1;
                    continue;
                }
                Some(Ok(shown)) => shown,
            };
            if !labelled(question, request, &shown) {
                self.unlabelled += 1;
                continue;
            }
            if let Some((low, high)) = first_range(std::slice::from_ref(request)) {
                let own = self.range.unwrap_or((low, high));
                self.range = Some((own.0.max(low), own.1.min(high)));
            }
            self.requests += 1;
            self.whole &= shown.whole;
            for point in 0..self.at.len() {
                self.add_point(question, log, request, &shown, point)?;
            }
        }
        Ok(())
    }

    fn add_point(
        &mut self,
        question: &CheckedQuestion,
        log: &str,
        request: &Request,
        shown: &Shown,
        point: usize,
    ) -> Result<(), EvaluationError> {
        let refused = |source| wrong(log, source);
        let lambda = self.at[point];
        let supported = explored(request, lambda);
        let target = page(question, request, lambda, request.k);
        for (objective, samples) in self.samples.iter_mut().enumerate() {
            let Some(terms) = terms(question, request, shown, &target, objective, supported) else {
                continue; // the log has no outcome of it
            };
            let samples = &mut samples[point];
            for (sample, weights) in samples.iter_mut().zip(&terms.weights) {
                if !weights.is_empty() {
                    sample
                        .push(&terms.rewards, weights, None)
                        .map_err(refused)?;
                    sample.shown_to(request.unit);
                }
            }
            let expected = Expected {
                logged: &terms.logged,
                target: terms.target,
            };
            samples[3]
                .push(&terms.rewards, &terms.weights[POSITION], Some(expected))
                .map_err(refused)?;
            samples[3].shown_to(request.unit);
            if !supported {
                samples.iter_mut().for_each(Sample::count_unsupported);
            }
        }
        Ok(())
    }

    /// Refuses a log that contradicts itself.
    pub(crate) fn check(&self, log: &Log) -> Result<(), EvaluationError> {
        let all = self.requests as f64 + self.contradicted as f64;
        if self.contradicted as f64 > MOST_CONTRADICTED * all {
            return Err(log.wrong(format!(
                "of {} requests that drew λ, {} were shown what no λ of their range gives by the logged probabilities; the probabilities or weights of the log are not those that ranked",
                all, self.contradicted
            )).into());
        }
        if self.requests == 0 {
            return Err(no_exploration(log));
        }
        Ok(())
    }

    pub(crate) fn report(&self, question: &CheckedQuestion, options: &OpeOptions) -> OpeReport {
        let mut rows = Vec::new();
        for (objective, samples) in question.objectives.iter().zip(&self.samples) {
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
