//! Off-policy curves that are drawn anew by user, so that a weight can be recommended on them.

use std::collections::BTreeMap;

use counterweight_impressions::{Part, Request};
use rayon::prelude::*;

use super::{
    range::{first_range, grid},
    sample::Sample,
    terms::{Contribution, Contributions},
};
use crate::{
    decide::{Drawn, Evidence},
    draws::{Draws, count},
    error::{EvaluationError, wrong},
    question::CheckedQuestion,
};

/// Points of λ over the range that was explored.
const POINTS: usize = 51;

/// Doubly robust curves of gain and cost over the range of λ that was explored, by user. The
/// estimator takes places as independent (IIPS) and the models' probabilities as its reward model,
/// which costs no bias where they are wrong.
#[derive(Debug, Default)]
pub struct OffPolicy {
    at: Vec<f64>,
    parts: [PartSums; 2],
}

#[derive(Debug, Default)]
struct PartSums {
    users: BTreeMap<u64, UserSums>,
    /// The weights at each point, for what they say of themselves.
    weights: Vec<Sample>,
    requests: usize,
}

#[derive(Debug, Clone)]
struct UserSums {
    requests: f64,
    /// Gain and cost at each point.
    values: Vec<[f64; 2]>,
}

impl OffPolicy {
    /// Adds the requests that explored and whose outcomes are known. The first of them sets the
    /// points.
    ///
    /// # Errors
    /// [`EvaluationError::Ranking`] for a logged value that is not a probability.
    pub fn add(
        &mut self,
        question: &CheckedQuestion,
        log: &str,
        batch: &[Request],
    ) -> Result<(), EvaluationError> {
        if self.at.is_empty() {
            let Some(range) = first_range(batch) else {
                return Ok(());
            };
            self.at = grid(&[], Some(range), POINTS);
            self.at.push(question.reference);
            self.at.sort_by(f64::total_cmp);
            self.at.dedup();
        }
        let objectives = [question.gain, question.swept];
        let at = &self.at;
        let terms: Result<Vec<_>, EvaluationError> = batch
            .par_iter()
            .map_init(Contributions::default, |own, request| {
                own.contribution(question, log, request, objectives, at)
            })
            .collect();
        for (request, terms) in batch.iter().zip(terms?) {
            let Some(terms) = terms else { continue };
            let part = &mut self.parts[usize::from(request.part == Part::Test)];
            part.add(request.unit, log, terms)?;
        }
        Ok(())
    }

    /// Whether there is a request in both parts.
    pub fn is_usable(&self) -> bool {
        self.parts.iter().all(|part| part.requests > 0)
    }

    /// The curves of a part. A point whose weights refuse an estimate is not a number.
    pub(crate) fn evidence(&self, part: Part, draws: Draws) -> Evidence {
        let sums = &self.parts[usize::from(part == Part::Test)];
        let refused: Vec<bool> = sums
            .weights
            .iter()
            .map(|sample| !sample.diagnostics().refusals().is_empty())
            .collect();
        let mean = |weight: &dyn Fn(u64) -> f64| {
            let mut requests = 0.0;
            let mut values = vec![[0.0; 2]; self.at.len()];
            for (unit, user) in &sums.users {
                let weight = weight(*unit);
                if weight == 0.0 {
                    continue;
                }
                requests += weight * user.requests;
                for (sum, value) in values.iter_mut().zip(&user.values) {
                    sum[0] += weight * value[0];
                    sum[1] += weight * value[1];
                }
            }
            for (value, refused) in values.iter_mut().zip(&refused) {
                let by = if *refused { f64::NAN } else { requests };
                *value = value.map(|sum| sum / by);
            }
            values
        };
        let estimate = mean(&|_| 1.0);
        let replicates: Vec<Vec<[f64; 2]>> = (0..draws.replicates as u64)
            .into_par_iter()
            .map(|replicate| {
                let seed = draws.replicate_seed(replicate);
                mean(&|unit| count(seed, unit))
            })
            .collect();
        let drawn = |which: usize| {
            let of = |values: &Vec<[f64; 2]>| values.iter().map(|value| value[which]).collect();
            Drawn::new(
                of(&estimate),
                replicates.iter().map(of).collect(),
                draws.level,
            )
        };
        Evidence {
            at: self.at.clone(),
            gain: drawn(0),
            cost: drawn(1),
        }
    }
}

impl PartSums {
    fn add(&mut self, unit: u64, log: &str, terms: Contribution) -> Result<(), EvaluationError> {
        self.requests += 1;
        self.weights.resize_with(terms.len(), Sample::default);
        let user = self.users.entry(unit).or_insert_with(|| UserSums {
            requests: 0.0,
            values: vec![[0.0; 2]; terms.len()],
        });
        user.requests += 1.0;
        for (at, (values, weights)) in terms.into_iter().enumerate() {
            user.values[at][0] += values[0];
            user.values[at][1] += values[1];
            self.weights[at]
                .push(&vec![0.0; weights.len()], &weights, None)
                .map_err(|source| wrong(log, source))?;
        }
        Ok(())
    }
}
