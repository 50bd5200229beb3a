//! What is added up over the requests, and the intervals of its means.

use counterweight_statistics::clustered_error;

use super::moves::Move;
use crate::error::RankingError;

/// z such that a standard normal lies within ±z with probability 0.95.
const Z: f64 = 1.959_963_984_540_054;

/// A mean over requests with its 95 % interval, which covers the sampling of units: not errors of
/// the models, and not how users respond.
///
/// The standard error is clustered by unit, since requests of one user are alike: with ȳ the mean
/// of N requests, G units and u_g = Σ (y − ȳ) over the requests of unit g, it is √(G/(G − 1) · Σ
/// u_g²) / N, the cluster-robust variance of a mean (Liang and Zeger, Biometrika 73, 1986; with the
/// usual correction for few clusters). The interval is ±1.96 of these. With fewer than two units
/// nothing is known of it: it is −∞ to ∞.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The exposure of one objective: the mean over requests of the mean probability on the page, in
/// [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure {
    /// Under the weights before.
    pub before: Estimate,
    /// Under the weights after.
    pub after: Estimate,
    /// After − before, paired request by request.
    pub change: Estimate,
}

/// What the change does to all requests. Shares are in [0, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Requests.
    pub requests: usize,
    /// Their candidates.
    pub candidates: usize,
    /// Distinct units.
    pub units: usize,
    /// Per objective.
    pub exposures: Vec<Exposure>,
    /// Share of requests on whose page another candidate stands.
    pub changed_set: f64,
    /// Share of requests whose page differs at any place.
    pub changed_order: f64,
    /// Per objective, the share of requests whose ordered page changes somewhere while its weight w
    /// after the change goes from 0.99·w to 1.01·w, ends included, with the others fixed. 0 for a
    /// weight of 0.
    pub within_1_percent: Vec<f64>,
    /// The same from 0.9·w to 1.1·w.
    pub within_10_percent: Vec<f64>,
    /// The mean over requests of at least two candidates of Kendall's τ between the orders of all
    /// candidates before and after; 1 without such a request. Ties are broken as they are
    /// served, so that both orders are total.
    pub rank_correlation: f64,
    /// The ten candidates that move farthest among those on the page before or after, farthest
    /// first; of equals the earlier request, then the lower position.
    pub moves: Vec<Move>,
}

/// The sums.
#[derive(Debug)]
pub(super) struct Totals {
    objectives: usize,
    units: Vec<u64>,
    /// Per request, the exposure of each objective before, then after.
    rows: Vec<f64>,
    candidates: usize,
    changed_set: usize,
    changed_order: usize,
    within: Vec<[usize; 2]>,
    /// Σ (1 − τ) over the requests in which τ is not 1.
    turned: f64,
    /// Requests of at least two candidates.
    paired: usize,
}

impl Totals {
    pub(super) fn new(objectives: usize) -> Self {
        Self {
            objectives,
            units: Vec::new(),
            rows: Vec::new(),
            candidates: 0,
            changed_set: 0,
            changed_order: 0,
            within: vec![[0; 2]; objectives],
            turned: 0.0,
            paired: 0,
        }
    }

    pub(super) fn requests(&self) -> usize {
        self.units.len()
    }

    pub(super) fn page_sums(&mut self, unit: u64, columns: &[&[f64]], old: &[u32], new: &[u32]) {
        self.units.push(unit);
        for page in [old, new] {
            self.rows.extend(columns.iter().map(|column| {
                let sum: f64 = page.iter().map(|&shown| column[shown as usize]).sum();
                sum / page.len() as f64
            }));
        }
    }

    pub(super) fn firm(&mut self, within: &[[bool; 2]]) {
        for (counts, found) in self.within.iter_mut().zip(within) {
            for (count, &found) in counts.iter_mut().zip(found) {
                *count += usize::from(found);
            }
        }
    }

    /// A request of `n` candidates whose order stays.
    pub(super) fn same(&mut self, n: usize) {
        self.candidates += n;
        self.paired += usize::from(n > 1);
    }

    /// One whose order changes.
    pub(super) fn changed(&mut self, n: usize, set: bool, order: bool, discordant: u64) {
        self.same(n);
        self.changed_set += usize::from(set);
        self.changed_order += usize::from(order);
        // τ = (concordant − discordant) / pairs.
        let pairs = n as f64 * (n as f64 - 1.0) / 2.0;
        self.turned += 2.0 * discordant as f64 / pairs;
    }

    pub(super) fn finish(&self, moves: Vec<Move>) -> Result<Summary, RankingError> {
        let requests = self.requests();
        if requests == 0 {
            return Err(RankingError::NoRequests);
        }
        let share = |count: usize| count as f64 / requests as f64;
        let clusters = Clusters::new(&self.units);
        let width = 2 * self.objectives;
        let exposure = |objective: usize| {
            let row = |request: usize| &self.rows[request * width..(request + 1) * width];
            let before = |request: usize| row(request)[objective];
            let after = |request: usize| row(request)[self.objectives + objective];
            Exposure {
                before: clusters.estimate(before),
                after: clusters.estimate(after),
                change: clusters.estimate(|request| after(request) - before(request)),
            }
        };
        let within = |of: usize| self.within.iter().map(|counts| share(counts[of])).collect();
        Ok(Summary {
            requests,
            candidates: self.candidates,
            units: clusters.count,
            exposures: (0..self.objectives).map(exposure).collect(),
            changed_set: share(self.changed_set),
            changed_order: share(self.changed_order),
            within_1_percent: within(0),
            within_10_percent: within(1),
            rank_correlation: 1.0 - self.turned / self.paired.max(1) as f64,
            moves,
        })
    }
}

/// Which request is whose.
struct Clusters {
    /// Requests, those of one unit together; whether a request is the last of its unit.
    requests: Vec<(usize, bool)>,
    count: usize,
}

impl Clusters {
    fn new(units: &[u64]) -> Self {
        let mut order: Vec<usize> = (0..units.len()).collect();
        order.sort_unstable_by_key(|&request| (units[request], request));
        let last = |at: usize| {
            order
                .get(at + 1)
                .is_none_or(|&next| units[next] != units[order[at]])
        };
        let requests: Vec<_> = (0..order.len()).map(|at| (order[at], last(at))).collect();
        let count = requests.iter().filter(|(_, last)| *last).count();
        Self { requests, count }
    }

    fn estimate(&self, value: impl Fn(usize) -> f64) -> Estimate {
        let n = self.requests.len() as f64;
        let mean = self.requests.iter().map(|&(at, _)| value(at)).sum::<f64>() / n;
        if self.count < 2 {
            return Estimate {
                value: mean,
                low: f64::NEG_INFINITY,
                high: f64::INFINITY,
            };
        }
        let (mut sum, mut squares) = (0.0, 0.0);
        for &(request, last) in &self.requests {
            sum += value(request) - mean;
            if last {
                squares += sum * sum;
                sum = 0.0;
            }
        }
        let half = Z * clustered_error(squares, self.count as f64) / n;
        Estimate {
            value: mean,
            low: mean - half,
            high: mean + half,
        }
    }
}
