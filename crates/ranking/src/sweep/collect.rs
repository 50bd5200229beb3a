//! Requests in, curves out: the steps of every request are kept until they are added up.

use rayon::prelude::*;

use super::{
    columns::Columns,
    curves::Curves,
    measure::Meter,
    plan::{Plan, Request},
};
use crate::{error::RankingError, steps};

type Block = steps::Block<i64>;

/// Steps after which pushed requests get a new block.
const FULL: usize = 1 << 16;

/// Requests that one thread takes at a time.
const CHUNK: usize = 128;

/// Collects the steps of requests. Memory grows with the steps, not with the candidates.
#[derive(Debug)]
pub struct Sweep {
    pub(super) plan: Plan,
    pub(super) columns: Columns,
    pub(super) blocks: Vec<Block>,
    pub(super) requests: usize,
    meter: Meter,
}

impl Sweep {
    /// A sweep without requests.
    ///
    /// # Errors
    /// [`RankingError`] when the plan names an objective that is not there, has no place on its
    /// page, or has a weight or reference that is not finite.
    pub fn new(plan: Plan) -> Result<Self, RankingError> {
        plan.check()?;
        Ok(Self {
            columns: Columns::new(&plan.metrics),
            plan,
            blocks: Vec::new(),
            requests: 0,
            meter: Meter::default(),
        })
    }

    /// What is swept.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Steps so far. Each takes 8 bytes for its place and 8 for each sum behind the metrics.
    pub fn steps(&self) -> usize {
        self.blocks.iter().map(Block::steps).sum()
    }

    /// Adds one request.
    ///
    /// # Errors
    /// [`RankingError`] names the request by its number, the candidate and the objective; the
    /// request is not added.
    pub fn push(&mut self, request: &Request<'_>) -> Result<(), RankingError> {
        let n = self.check(self.requests, request)?;
        if self.blocks.last().is_none_or(|block| block.steps() >= FULL) {
            self.blocks.push(Block::new(self.columns.moving()));
        }
        if let Some(block) = self.blocks.last_mut() {
            self.meter
                .measure(&self.plan, &self.columns, request, n, block);
        }
        self.requests += 1;
        Ok(())
    }

    /// Adds one request with its own fixed weights, one per objective, of which the swept one is
    /// not read.
    pub(crate) fn push_under(
        &mut self,
        weights: &[f64],
        request: &Request<'_>,
    ) -> Result<(), RankingError> {
        self.plan.weights.copy_from_slice(weights);
        self.push(request)
    }

    /// Adds one request that is ranked by these weights for every x.
    pub(crate) fn push_constant(
        &mut self,
        weights: &[f64],
        request: &Request<'_>,
    ) -> Result<(), RankingError> {
        let n = self.check(self.requests, request)?;
        if self.blocks.is_empty() {
            self.blocks.push(Block::new(self.columns.moving()));
        }
        if let Some(block) = self.blocks.last_mut() {
            let (k, columns) = (self.plan.k, &self.columns);
            self.meter
                .measure_constant((k, weights), columns, request, n, block);
        }
        self.requests += 1;
        Ok(())
    }

    /// Each step in turn, on this thread: its ends and the value of each metric. Steps as in
    /// [`Curves`].
    pub(crate) fn each_step(&self, mut visit: impl FnMut((f64, f64), &[f64])) {
        let ratios = &self.columns.ratios;
        let mut values = vec![0.0; ratios.len()];
        steps::scan(&self.blocks, 0.0, self.columns.all(), |ends, sums| {
            for (value, ratio) in values.iter_mut().zip(ratios) {
                *value = sums[ratio.above] as f64 / sums[ratio.below] as f64;
            }
            visit(ends, &values);
        });
    }

    /// Adds many requests on all threads of the current rayon pool. The curves are the same to the
    /// bit for any number of threads, and as if each had been pushed.
    ///
    /// # Errors
    /// As [`Self::push`], for the first bad request; then none is added.
    pub fn extend(&mut self, requests: &[Request<'_>]) -> Result<(), RankingError> {
        let done: Vec<Result<Block, RankingError>> = requests
            .par_chunks(CHUNK)
            .enumerate()
            .map_init(Meter::default, |meter, (chunk, requests)| {
                let mut block = Block::new(self.columns.moving());
                for (at, request) in requests.iter().enumerate() {
                    let n = self.check(self.requests + chunk * CHUNK + at, request)?;
                    meter.measure(&self.plan, &self.columns, request, n, &mut block);
                }
                Ok(block)
            })
            .collect();
        let blocks: Vec<Block> = done.into_iter().collect::<Result<_, _>>()?;
        self.blocks.extend(blocks);
        self.requests += requests.len();
        Ok(())
    }

    /// Adds the requests of another sweep of the same plan.
    pub fn append(&mut self, other: Self) {
        debug_assert_eq!(self.plan, other.plan);
        self.blocks.extend(other.blocks);
        self.requests += other.requests;
    }

    fn check(&self, number: usize, request: &Request<'_>) -> Result<usize, RankingError> {
        request.check(
            number,
            self.plan.weights.len(),
            self.columns.labels_matter(),
        )
    }

    /// Adds everything up. The sweep can go on.
    ///
    /// # Errors
    /// [`RankingError::NoRequests`].
    pub fn curves(&self) -> Result<Curves, RankingError> {
        if self.requests == 0 {
            return Err(RankingError::NoRequests);
        }
        let ratios = &self.columns.ratios;
        let finish = |sums: &[i128], values: &mut [f64]| {
            for (value, ratio) in values.iter_mut().zip(ratios) {
                *value = sums[ratio.above] as f64 / sums[ratio.below] as f64;
            }
        };
        let steps = steps::merge(&self.blocks, 0.0, self.columns.all(), ratios.len(), finish);
        Ok(Curves {
            metrics: self.plan.metrics.clone(),
            steps,
        })
    }
}
