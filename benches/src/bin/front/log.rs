//! Logs to sweep, made from a seed, and the sweep over them.

use anyhow::Result;
use counterweight_ranking::sweep::{Curves, Metric, Plan, Request, Sign, Sweep};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::K;

/// A log in columns, request by request.
pub(crate) struct Log {
    /// Candidates of each request.
    pub(crate) candidates: usize,
    pub(crate) engagement: Vec<f64>,
    pub(crate) bait: Vec<f64>,
    pub(crate) labels: [Vec<f64>; 2],
}

/// One request's part of a column.
fn row(column: &[f64], request: usize, candidates: usize) -> &[f64] {
    &column[request * candidates..(request + 1) * candidates]
}

impl Log {
    /// Independent uniform probabilities, and labels drawn from them.
    pub(crate) fn generate(requests: usize, candidates: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut column =
            || -> Vec<f64> { (0..requests * candidates).map(|_| rng.random()).collect() };
        let (engagement, bait) = (column(), column());
        let labels = [&engagement, &bait].map(|p| {
            p.iter()
                .zip(column())
                .map(|(p, u)| f64::from(u8::from(u < *p)))
                .collect()
        });
        Self {
            candidates,
            engagement,
            bait,
            labels,
        }
    }

    /// One request in which every candidate is on the page for some λ: nothing can be pruned.
    pub(crate) fn convex(candidates: usize) -> Self {
        let bait: Vec<f64> = (0..candidates)
            .map(|i| i as f64 / candidates as f64)
            .collect();
        let engagement = bait.iter().map(|b| 2.0 * b - b * b).collect();
        let labels = [vec![0.0; candidates], vec![0.0; candidates]];
        Self {
            candidates,
            engagement,
            bait,
            labels,
        }
    }

    pub(crate) fn curves(&self, metrics: &[Metric]) -> Result<Curves> {
        let mut sweep = Sweep::new(Plan {
            k: K,
            weights: vec![1.0, 0.0],
            swept: 1,
            sign: Sign::Negative,
            reference: 0.5,
            metrics: metrics.to_vec(),
        })?;
        let columns: Vec<[[&[f64]; 2]; 2]> = (0..self.engagement.len() / self.candidates)
            .map(|request| {
                let row = |column| row(column, request, self.candidates);
                [
                    [row(&self.engagement), row(&self.bait)],
                    [row(&self.labels[0]), row(&self.labels[1])],
                ]
            })
            .collect();
        let requests: Vec<Request<'_>> = (0..)
            .zip(&columns)
            .map(|(unit, [probabilities, realised])| Request {
                unit,
                probabilities,
                realised,
            })
            .collect();
        sweep.extend(&requests)?;
        Ok(sweep.curves()?)
    }
}
