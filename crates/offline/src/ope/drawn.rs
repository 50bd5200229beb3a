//! Off-policy curves that are drawn anew by user, so that a weight can be recommended on them.

use std::collections::BTreeMap;

use counterweight_ranking::ope::Sample;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    first_range, grid,
    terms::{Contribution, Contributions},
};
use crate::{
    OfflineError, Part, Request,
    decide::{Drawn, Evidence},
    front::Draws,
    question::Asked,
    swept::wrong,
};

/// Points of λ over the range that was explored.
const POINTS: usize = 51;

/// Doubly robust curves of gain and cost over the range of λ that was explored, by user. The estimator takes places as independent (IIPS) and
/// the models' probabilities as its reward model, which costs no bias where they are wrong.
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
    /// Adds the requests that explored and whose outcomes are known. The first of them sets the points.
    ///
    /// # Errors
    /// [`OfflineError::Ranking`] for logged probabilities that are none.
    pub fn add(&mut self, asked: &Asked, log: &str, batch: &[Request]) -> Result<(), OfflineError> {
        if self.at.is_empty() {
            let Some(range) = first_range(batch) else {
                return Ok(());
            };
            self.at = grid(&[], Some(range), POINTS);
            self.at.push(asked.reference);
            self.at.sort_by(f64::total_cmp);
            self.at.dedup();
        }
        let objectives = [asked.gain, asked.swept];
        let at = &self.at;
        let terms: Result<Vec<_>, OfflineError> = batch
            .par_iter()
            .map_init(Contributions::default, |own, request| {
                own.of(asked, log, request, objectives, at)
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
                let seed = xxh3_64_with_seed(&replicate.to_le_bytes(), draws.seed);
                mean(&|unit| poisson(xxh3_64_with_seed(&unit.to_le_bytes(), seed)))
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
    fn add(&mut self, unit: u64, log: &str, terms: Contribution) -> Result<(), OfflineError> {
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

/// A draw from the Poisson distribution of mean 1, by the inverse of its distribution.
pub(crate) fn poisson(hash: u64) -> f64 {
    let mut left = (hash >> 11) as f64 / (1_u64 << 53) as f64;
    let (mut count, mut probability) = (0.0, (-1.0_f64).exp());
    while left >= probability && count < 20.0 {
        left -= probability;
        count += 1.0;
        probability /= count;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_mean_and_variance_one() {
        let draws: Vec<f64> = (0..20_000_u64)
            .map(|i| poisson(xxh3_64_with_seed(&i.to_le_bytes(), 7)))
            .collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(
            (mean - 1.0).abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }
}
