//! One request: from its walk to the steps of its sums.

use super::{
    columns::{Columns, Gain},
    plan::{Discount, Plan, Request},
    walk::{Step, Walk},
};
use crate::{combine::contribution, order::page_at, steps::Block};

/// 1 in fixed point. A sum of one request stays within ±1, so that an i64 holds it with bits to
/// spare.
pub(super) const ONE: f64 = (1_u64 << 60) as f64;

/// Places that are looked at, about a tenth of a millisecond's work, before a walk asks whether it
/// should stop.
const STOP_INTERVAL: usize = 1 << 17;

/// Buffers that are used from request to request.
#[derive(Debug, Default)]
pub(super) struct Meter {
    walk: Walk,
    fixed: Vec<f64>,
    slopes: Vec<f64>,
    /// One row per candidate, one entry per page sum: gain / normaliser, in fixed point.
    gains: Vec<f64>,
    /// 1 / log₂(place + 2) by place.
    discounts: Vec<f64>,
    page: Vec<u32>,
    best: Vec<f64>,
    /// The place of each candidate on the reference page; `ABSENT` when it is not on it.
    reference: Vec<u32>,
    row: Vec<i64>,
}

const ABSENT: u32 = u32::MAX;

impl Meter {
    /// Adds the steps of one checked request of `n` candidates. Returns false when `stop`
    /// ended it: the block is then incomplete and must be discarded.
    pub(super) fn measure(
        &mut self,
        plan: &Plan,
        columns: &Columns,
        request: &Request<'_>,
        n: usize,
        block: &mut Block<i64>,
        stop: &dyn Fn() -> bool,
    ) -> bool {
        let places = plan.k.min(n);
        self.fill_lines(plan, request, n);
        self.fill_gains(columns, request, n, places);
        self.fill_reference(plan, columns, n);

        let mut page = std::mem::take(&mut self.page);
        page_at(&self.fixed, &self.slopes, 0.0, plan.k, &mut page);
        let start = self.row_at(columns, &page, request);
        self.walk.start(&self.fixed, &self.slopes, 0.0, plan.k);
        page.clear();
        page.extend(self.walk.page().map(|candidate| candidate as u32));
        let after = self.row_at(columns, &page, request);
        self.row.clear();
        self.row
            .extend(after.iter().zip(&start).map(|(after, start)| after - start));
        block.step(0.0, &self.row[..columns.moving()]);

        let done = self.walk_on(columns, &page, block, stop);
        block.end(request.unit, &start);
        self.page = page;
        done
    }

    /// Adds one checked request that is ranked by these weights wherever the swept one stands.
    pub(super) fn measure_constant(
        &mut self,
        (k, weights): (usize, &[f64]),
        columns: &Columns,
        request: &Request<'_>,
        n: usize,
        block: &mut Block<i64>,
    ) {
        self.fixed.clear();
        self.fixed.resize(n, 0.0);
        for (&weight, column) in weights.iter().zip(request.probabilities) {
            for (score, &probability) in self.fixed.iter_mut().zip(*column) {
                *score += contribution(weight, probability);
            }
        }
        self.slopes.clear();
        self.slopes.resize(n, 0.0);
        self.fill_gains(columns, request, n, k.min(n));
        let mut page = std::mem::take(&mut self.page);
        page_at(&self.fixed, &self.slopes, 0.0, k, &mut page);
        block.end(request.unit, &self.row_at(columns, &page, request));
        self.page = page;
    }

    fn walk_on(
        &mut self,
        columns: &Columns,
        page: &[u32],
        block: &mut Block<i64>,
        stop: &dyn Fn() -> bool,
    ) -> bool {
        let Some(last) = page.len().checked_sub(1) else {
            return true;
        };
        let mut work = 0;
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        row.resize(columns.moving(), 0);
        let mut changes = Changes::new(page, &self.reference);
        while let Some(step) = self.walk.next_before(f64::INFINITY) {
            // A step looks at every place of the page.
            work += page.len();
            if work >= STOP_INTERVAL {
                if stop() {
                    return false;
                }
                work = 0;
            }
            let entry = step.place == last;
            if entry || columns.order_matters() {
                self.change_sums(columns, &step, entry, &mut row);
                if !self.reference.is_empty() {
                    let flags = changes.follow(&step, entry, &self.reference);
                    columns.set_flags(&mut row, flags);
                }
                block.step(step.x, &row);
            }
        }
        self.row = row;
        true
    }

    /// How a step changes the page sums. Each place's share is rounded by itself, so that whatever
    /// comes back cancels to the bit.
    fn change_sums(&self, columns: &Columns, step: &Step, entry: bool, row: &mut [i64]) {
        let (sums, flat) = (columns.page.len(), columns.flat);
        let rises = &self.gains[step.rises * sums..][..sums];
        let falls = &self.gains[step.falls * sums..][..sums];
        let here = self.discounts[step.place];
        if entry {
            for column in 0..flat {
                row[column] = rises[column] as i64 - falls[column] as i64;
            }
            for column in flat..sums {
                row[column] = (rises[column] * here) as i64 - (falls[column] * here) as i64;
            }
        } else {
            let below = self.discounts[step.place + 1];
            let by_moving_up = |gain: f64| (gain * here) as i64 - (gain * below) as i64;
            row[..flat].fill(0);
            for column in flat..sums {
                row[column] = by_moving_up(rises[column]) - by_moving_up(falls[column]);
            }
        }
    }

    /// The request as lines: v = Σ of the fixed weights' contributions, in objective order, against
    /// the swept probability.
    fn fill_lines(&mut self, plan: &Plan, request: &Request<'_>, n: usize) {
        self.fixed.clear();
        self.fixed.resize(n, 0.0);
        for (objective, weight) in plan.fixed() {
            for (fixed, probability) in self.fixed.iter_mut().zip(request.probabilities[objective])
            {
                *fixed += weight * probability;
            }
        }
        let slope = plan.slope();
        self.slopes.clear();
        self.slopes
            .extend(request.probabilities[plan.swept].iter().map(|p| slope * p));
    }

    fn fill_gains(&mut self, columns: &Columns, request: &Request<'_>, n: usize, places: usize) {
        while self.discounts.len() < places {
            self.discounts
                .push(Discount::Log2.weight(self.discounts.len()));
        }
        let shown: f64 = self.discounts[..places].iter().sum();
        let sums = columns.page.len();
        self.gains.resize(self.gains.len().max(n * sums), 0.0);
        for (at, column) in columns.page.iter().enumerate() {
            let whole = match column.discount {
                Discount::Flat => places as f64,
                Discount::Log2 => shown,
            };
            let scale = ONE / whole;
            let rows = self.gains.chunks_exact_mut(sums);
            let fill = |values: &[f64], gain: &dyn Fn(f64) -> f64| {
                rows.zip(values)
                    .for_each(|(row, &value)| row[at] = gain(value));
            };
            match column.gain {
                Gain::Predicted(objective) => {
                    fill(request.probabilities[objective], &|p| p * scale);
                }
                Gain::Realised(objective) => {
                    fill(request.realised[objective], &|y| known(y) * scale);
                }
                Gain::Known(objective) => {
                    fill(request.realised[objective], &|y| {
                        if y.is_nan() { 0.0 } else { scale }
                    });
                }
                Gain::Ndcg(objective) => {
                    let ideal = ideal(
                        request.realised[objective],
                        &self.discounts[..places],
                        &mut self.best,
                    );
                    let scale = if ideal > 0.0 { ONE / ideal } else { 0.0 };
                    fill(request.realised[objective], &|y| known(y) * scale);
                }
            }
        }
    }

    fn fill_reference(&mut self, plan: &Plan, columns: &Columns, n: usize) {
        self.reference.clear();
        if columns.changed_set.is_none() && columns.changed_order.is_none() {
            return;
        }
        page_at(
            &self.fixed,
            &self.slopes,
            plan.reference,
            plan.k,
            &mut self.page,
        );
        self.reference.resize(n, ABSENT);
        for (&candidate, place) in self.page.iter().zip(0..) {
            self.reference[candidate as usize] = place;
        }
    }

    /// All sums for this page.
    fn row_at(&self, columns: &Columns, page: &[u32], request: &Request<'_>) -> Vec<i64> {
        let sums = columns.page.len();
        let mut row = vec![0; columns.all()];
        for (place, &candidate) in page.iter().enumerate() {
            let gains = &self.gains[candidate as usize * sums..][..sums];
            for (column, gain) in gains.iter().enumerate() {
                let discount = if column < columns.flat {
                    1.0
                } else {
                    self.discounts[place]
                };
                row[column] += (gain * discount) as i64;
            }
        }
        if !self.reference.is_empty() {
            columns.set_flags(&mut row, Changes::new(page, &self.reference).flags());
        }
        let requests = columns.moving();
        row[requests] = ONE as i64;
        for (judged, &objective) in columns.judged.iter().enumerate() {
            let known = request.realised[objective].iter().any(|y| !y.is_nan());
            row[requests + 1 + judged] = if known { ONE as i64 } else { 0 };
        }
        row
    }
}

fn known(y: f64) -> f64 {
    if y.is_nan() { 0.0 } else { y }
}

/// DCG of the best order.
fn ideal(realised: &[f64], discounts: &[f64], best: &mut Vec<f64>) -> f64 {
    best.clear();
    best.extend(realised.iter().map(|&y| known(y)).filter(|&y| y > 0.0));
    if best.len() > discounts.len() {
        best.select_nth_unstable_by(discounts.len(), |a, b| b.total_cmp(a));
        best.truncate(discounts.len());
    }
    best.sort_unstable_by(|a, b| b.total_cmp(a));
    best.iter()
        .zip(discounts)
        .map(|(y, discount)| y * discount)
        .sum()
}

/// How far a page is from the reference page.
struct Changes {
    /// Candidates that the reference page does not hold.
    strangers: usize,
    /// Places that hold another candidate.
    misplaced: usize,
}

impl Changes {
    fn new(page: &[u32], reference: &[u32]) -> Self {
        let mut changes = Self {
            strangers: 0,
            misplaced: 0,
        };
        if !reference.is_empty() {
            for (place, &candidate) in page.iter().enumerate() {
                let there = reference[candidate as usize];
                changes.strangers += usize::from(there == ABSENT);
                changes.misplaced += usize::from(there as usize != place);
            }
        }
        changes
    }

    /// 1 where the set, and where the order, differs.
    fn flags(&self) -> [i64; 2] {
        [self.strangers, self.misplaced].map(|count| if count > 0 { ONE as i64 } else { 0 })
    }

    /// Follows a step and says how the flags change.
    fn follow(&mut self, step: &Step, entry: bool, reference: &[u32]) -> [i64; 2] {
        let before = self.flags();
        let misplaced =
            |candidate: usize, place| usize::from(reference[candidate] as usize != place);
        let &Step {
            place,
            rises,
            falls,
            ..
        } = step;
        self.misplaced = self.misplaced + misplaced(rises, place) - misplaced(falls, place);
        if entry {
            let stranger = |candidate: usize| usize::from(reference[candidate] == ABSENT);
            self.strangers = self.strangers + stranger(rises) - stranger(falls);
        } else {
            let next = place + 1;
            self.misplaced = self.misplaced + misplaced(falls, next) - misplaced(rises, next);
        }
        let after = self.flags();
        [after[0] - before[0], after[1] - before[1]]
    }
}
