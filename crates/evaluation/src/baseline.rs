//! Orders that need no weights: a random one, and each objective alone. Ties are averaged over all
//! their orders, so that no order of the log's rows can favour a score that cannot tell candidates
//! apart.

use std::collections::BTreeMap;

use counterweight_impressions::Request;
use counterweight_statistics::clustered_error;
use rayon::prelude::*;
use serde::Serialize;

use crate::question::CheckedQuestion;

/// Which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All orders are equally likely.
    Random,
    /// The highest probability of an objective first.
    Highest(usize),
    /// The lowest probability of an objective first.
    Lowest(usize),
    /// What came of it, the highest first: nothing can do better. Only where all outcomes are
    /// known.
    Oracle,
}

/// The mean outcome of the page of one objective under one order, with what it gains on a random
/// order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// Mean over requests of the page's mean outcome.
    pub value: f64,
    /// Its standard error, over users.
    pub standard_error: f64,
    /// value / the random order's − 1; NaN where that is 0.
    pub lift: f64,
    /// The lift's standard error, paired over users.
    pub lift_error: f64,
    /// Requests, all of whose outcomes are known.
    pub requests: u64,
}

/// Sums by user.
#[derive(Debug, Clone, Default)]
pub struct Baselines {
    objectives: usize,
    /// By user: requests and, for each objective and order, the sum of the pages' means.
    users: Vec<BTreeMap<u64, (u64, Vec<f64>)>>,
}

impl Baselines {
    pub(crate) fn new(objectives: usize) -> Self {
        Self {
            objectives,
            users: vec![BTreeMap::new(); objectives],
        }
    }

    /// The orders there are.
    pub fn orders(&self) -> Vec<Order> {
        let each = 0..self.objectives;
        let mut orders = vec![Order::Random];
        orders.extend(each.clone().map(Order::Highest));
        orders.extend(each.map(Order::Lowest));
        orders.push(Order::Oracle);
        orders
    }

    /// Adds requests. An objective counts where all outcomes of the request are known.
    pub(crate) fn add(&mut self, question: &CheckedQuestion, k: usize, requests: &[&Request]) {
        let orders = self.orders();
        let pages: Vec<Vec<Option<Vec<f64>>>> = requests
            .par_iter()
            .map(|request| {
                let each = question.places.iter();
                each.map(|&m| pages(question, k, request, &request.realised[m], &orders))
                    .collect()
            })
            .collect();
        for (request, pages) in requests.iter().zip(pages) {
            for (users, page) in self.users.iter_mut().zip(pages) {
                let Some(page) = page else { continue };
                let (requests, sums) = users
                    .entry(request.unit)
                    .or_insert_with(|| (0, vec![0.0; orders.len()]));
                *requests += 1;
                for (sum, value) in sums.iter_mut().zip(page) {
                    *sum += value;
                }
            }
        }
    }

    /// Adds the users of another part. No user is in two.
    pub(crate) fn append(&mut self, other: Self) {
        for (own, others) in self.users.iter_mut().zip(other.users) {
            own.extend(others);
        }
    }

    /// The mean outcome of an objective under an order; nothing where no request has all its
    /// outcomes.
    pub fn mean(&self, objective: usize, order: Order) -> Option<Mean> {
        let users = self.users.get(objective)?;
        let at = self.orders().iter().position(|own| *own == order)?;
        let (mut requests, mut sum, mut random) = (0, 0.0, 0.0);
        for (count, sums) in users.values() {
            requests += count;
            sum += sums[at];
            random += sums[0];
        }
        if requests == 0 {
            return None;
        }
        let n = requests as f64;
        let (value, lift) = (sum / n, sum / random - 1.0);
        let error = |influence: &dyn Fn(f64, &[f64]) -> f64| {
            let squares: f64 = users
                .values()
                .map(|(count, sums)| influence(*count as f64, sums).powi(2))
                .sum();
            clustered_error(squares, users.len() as f64)
        };
        Some(Mean {
            value,
            standard_error: error(&|count, sums| (sums[at] - value * count) / n),
            lift,
            lift_error: error(&|_, sums| (sums[at] - (1.0 + lift) * sums[0]) / random),
            requests,
        })
    }
}

/// The mean outcome of the page under each order; nothing where an outcome is not known.
fn pages(
    question: &CheckedQuestion,
    k: usize,
    request: &Request,
    outcomes: &[f64],
    orders: &[Order],
) -> Option<Vec<f64>> {
    if outcomes.iter().any(|outcome| outcome.is_nan()) {
        return None;
    }
    let page = |order: &Order| match *order {
        Order::Random => tie_averaged(&vec![0.0; outcomes.len()], outcomes, k, question),
        Order::Highest(m) => tie_averaged(
            &request.probabilities[question.places[m]],
            outcomes,
            k,
            question,
        ),
        Order::Lowest(m) => {
            let scores = &request.probabilities[question.places[m]];
            let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
            tie_averaged(&turned, outcomes, k, question)
        }
        Order::Oracle => tie_averaged(outcomes, outcomes, k, question),
    };
    Some(orders.iter().map(page).collect())
}

/// Σ d·y / Σ d over the page of min(k, n) places, highest score first, its expectation over all
/// orders of tied candidates.
fn tie_averaged(scores: &[f64], outcomes: &[f64], k: usize, question: &CheckedQuestion) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let discount = |place: usize| {
        if place < k {
            question.discount.weight(place)
        } else {
            0.0
        }
    };
    let (mut place, mut sum) = (0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let places: f64 = (place..place + tied.len()).map(discount).sum();
        let mean: f64 = tied.iter().map(|&i| outcomes[i]).sum::<f64>() / tied.len() as f64;
        sum += places * mean;
        place += tied.len();
        if place >= k {
            break;
        }
    }
    let all: f64 = (0..k.min(scores.len())).map(discount).sum();
    sum / all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use counterweight_ranking::sweep::Discount;

    use super::*;

    fn question(discount: Discount) -> CheckedQuestion {
        CheckedQuestion {
            objectives: vec!["e".to_owned(), "b".to_owned()],
            weights: vec![1.0, 0.0],
            gain: 0,
            swept: 1,
            positive: false,
            places: vec![0, 1],
            outcomes: vec![true, true],
            discount,
            reference: 0.0,
        }
    }

    #[test]
    fn ties_are_averaged_over_their_orders() {
        let flat = question(Discount::Flat);
        assert_eq!(
            tie_averaged(&[0.5, 0.9, 0.5], &[1.0, 0.0, 0.0], 2, &flat),
            0.25
        );
        assert_eq!(
            tie_averaged(&[0.0; 4], &[1.0, 0.0, 0.0, 0.0], 1, &flat),
            0.25
        );
        assert_eq!(tie_averaged(&[0.3], &[1.0], 10, &flat), 1.0);
        let log2 = question(Discount::Log2);
        let second = 1.0 / 3f64.log2();
        let mean = tie_averaged(&[0.1, 0.1, 0.9], &[1.0, 0.0, 0.0], 2, &log2);
        assert!((mean - 0.5 * second / (1.0 + second)).abs() < 1e-15);
    }
}
