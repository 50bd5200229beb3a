//! What every order brings on every page, summed by user: the orders of both options on the very
//! same rows.

use std::collections::BTreeMap;

use counterweight_impressions::{Log, Part, Request};
use counterweight_ranking::sweep::{Discount, Metric, Plan, Request as Swept, Sign, Sweep};
use rayon::prelude::*;

use super::truth::Truth;
use crate::error::{EvaluationError, wrong};

/// Which columns of a request are what.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    pub(super) gain: usize,
    pub(super) cost: usize,
    /// The model of the combined loss for each weight.
    pub(super) combined: Vec<usize>,
    /// λ of each weight.
    pub(super) lambdas: Vec<f64>,
    pub(super) discount: Discount,
}

/// An order of candidates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// Two models: P(gain) − λ·P(cost), at a weight.
    Sum(usize),
    /// One model, of a weight.
    Combined(usize),
    /// By P(gain) alone.
    Gain,
    /// By P(cost) alone, the lowest first.
    Cost,
    /// All orders alike.
    Random,
    /// By the truth's gain − λ·cost, at a weight.
    Oracle(usize),
}

impl Roles {
    /// All orders, in the order of the sums.
    pub(super) fn orders(&self, truth: bool) -> Vec<Order> {
        let each = 0..self.lambdas.len();
        let mut orders: Vec<Order> = each.clone().map(Order::Sum).collect();
        orders.extend(each.clone().map(Order::Combined));
        orders.extend([Order::Gain, Order::Cost, Order::Random]);
        if truth {
            orders.extend(each.map(Order::Oracle));
        }
        orders
    }
}

/// Gain and cost of every order, summed by user.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// By user: requests, and gain and cost of the pages of each order.
    pub(super) users: BTreeMap<u64, (f64, Vec<[f64; 2]>)>,
    pub(super) requests: u64,
}

impl Sums {
    /// Checks that there is something.
    pub(super) fn finish(&self, log: &Log, part: &str) -> Result<&Self, EvaluationError> {
        if self.users.len() < 2 {
            return Err(log.wrong(format!(
                "the {part} part has {} users or requests with known labels, and comparing takes many; give the split a larger `{part}` share",
                self.users.len()
            )).into());
        }
        Ok(self)
    }
}

/// All that is gathered while the log is read.
pub(super) struct Pages {
    name: String,
    pub(super) roles: Roles,
    pub(super) orders: Vec<Order>,
    pub(super) truth: Option<Truth>,
    pub(super) k: usize,
    given: Option<usize>,
    /// Whether some page left out a candidate.
    pub(super) contested: bool,
    /// Candidates whose labels are not both known.
    pub(super) unlabelled: u64,
    /// Requests with fewer than two candidates whose labels are known.
    pub(super) unjudged: u64,
    pub(super) tune: Sums,
    pub(super) test: Sums,
    /// Every weight of two models, on the test part.
    pub(super) sweep: Option<Sweep>,
}

/// The candidates of a request whose outcomes are known.
struct Judged<'a> {
    request: &'a Request,
    /// One column per objective of the log.
    probabilities: Vec<Vec<f64>>,
    /// Gain and cost.
    outcomes: [Vec<f64>; 2],
}

impl Pages {
    pub(super) fn new(name: String, roles: Roles, truth: Option<Truth>, k: Option<usize>) -> Self {
        Self {
            name,
            orders: roles.orders(truth.is_some()),
            roles,
            truth,
            k: k.unwrap_or(1),
            given: k,
            contested: false,
            unlabelled: 0,
            unjudged: 0,
            tune: Sums::default(),
            test: Sums::default(),
            sweep: None,
        }
    }

    pub(super) fn add(&mut self, batch: &[Request]) -> Result<(), EvaluationError> {
        let mut judged = Vec::with_capacity(batch.len());
        for request in batch {
            if self.given.is_none() {
                self.k = request.k;
            }
            let own = self.judge(request)?;
            let n = own.outcomes[0].len();
            self.unlabelled += (request.ids.len() - n) as u64;
            if n < 2 {
                self.unjudged += 1;
                continue;
            }
            self.contested |= n > self.k;
            judged.push(own);
        }
        let (roles, orders, k) = (&self.roles, &self.orders, self.k);
        let pages: Vec<Vec<[f64; 2]>> = judged
            .par_iter()
            .map(|own| {
                orders
                    .iter()
                    .map(|order| page(own, *order, roles, k))
                    .collect()
            })
            .collect();
        for (own, pages) in judged.iter().zip(pages) {
            let sums = match own.request.part {
                Part::Tune => &mut self.tune,
                Part::Test => &mut self.test,
            };
            let (requests, totals) = sums
                .users
                .entry(own.request.unit)
                .or_insert_with(|| (0.0, vec![[0.0; 2]; pages.len()]));
            *requests += 1.0;
            sums.requests += 1;
            for (total, page) in totals.iter_mut().zip(pages) {
                total[0] += page[0];
                total[1] += page[1];
            }
        }
        self.draw(&judged)
    }

    /// Keeps the candidates whose outcomes are known: of the truth all.
    fn judge<'a>(&self, request: &'a Request) -> Result<Judged<'a>, EvaluationError> {
        if let Some(truth) = &self.truth {
            return Ok(Judged {
                outcomes: truth.columns(&request.id, &request.ids)?,
                probabilities: request.probabilities.clone(),
                request,
            });
        }
        let (gains, costs) = (
            &request.realised[self.roles.gain],
            &request.realised[self.roles.cost],
        );
        let known: Vec<usize> = (0..request.ids.len())
            .filter(|&i| !gains[i].is_nan() && !costs[i].is_nan())
            .collect();
        let take = |column: &Vec<f64>| -> Vec<f64> {
            if column.is_empty() {
                return Vec::new();
            }
            known.iter().map(|&i| column[i]).collect()
        };
        Ok(Judged {
            outcomes: [take(gains), take(costs)],
            probabilities: request.probabilities.iter().map(take).collect(),
            request,
        })
    }

    /// Adds the test part's requests to the sweep of two models.
    fn draw(&mut self, judged: &[Judged<'_>]) -> Result<(), EvaluationError> {
        let refused = |source| wrong(&self.name, source);
        let test = judged.iter().filter(|own| own.request.part == Part::Test);
        for own in test {
            let sweep = match &mut self.sweep {
                Some(sweep) => sweep,
                None => {
                    let begun = Sweep::new(plan(self.k, self.roles.discount)).map_err(refused)?;
                    self.sweep.insert(begun)
                }
            };
            let probabilities = [
                own.probabilities[self.roles.gain].as_slice(),
                &own.probabilities[self.roles.cost],
            ];
            let realised = [own.outcomes[0].as_slice(), &own.outcomes[1]];
            let request = Swept {
                unit: own.request.unit,
                probabilities: &probabilities,
                realised: &realised,
            };
            sweep.push(&request).map_err(refused)?;
        }
        Ok(())
    }
}

fn plan(k: usize, discount: Discount) -> Plan {
    let realised = |objective| Metric::Realised {
        objective,
        discount,
    };
    Plan {
        k,
        weights: vec![1.0, 0.0],
        swept: 1,
        sign: Sign::Negative,
        reference: 0.0,
        metrics: vec![realised(0), realised(1)],
    }
}

/// Gain and cost of the page of an order: Σ d·y / Σ d over min(k, n) places.
fn page(own: &Judged<'_>, order: Order, roles: &Roles, k: usize) -> [f64; 2] {
    let [gains, costs] = &own.outcomes;
    let n = gains.len();
    let (e, b) = (
        &own.probabilities[roles.gain],
        &own.probabilities[roles.cost],
    );
    let score = |i: usize| match order {
        Order::Sum(at) => e[i] - roles.lambdas[at] * b[i],
        Order::Combined(at) => own.probabilities[roles.combined[at]][i],
        Order::Gain => e[i],
        Order::Cost => 0.0 - b[i],
        Order::Oracle(at) => gains[i] - roles.lambdas[at] * costs[i],
        Order::Random => 0.0,
    };
    if order == Order::Random {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
        return [mean(gains), mean(costs)];
    }
    let scores: Vec<f64> = (0..n).map(score).collect();
    let mut places: Vec<usize> = (0..n).collect();
    // As served: the highest score first, ties by the id, by which candidates stand in order.
    places.sort_by(|&i, &j| scores[j].total_cmp(&scores[i]).then(i.cmp(&j)));
    let (mut sums, mut all) = ([0.0; 2], 0.0);
    for (place, &i) in places.iter().take(k).enumerate() {
        let d = roles.discount.weight(place);
        sums[0] += d * gains[i];
        sums[1] += d * costs[i];
        all += d;
    }
    sums.map(|sum| sum / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_judged_on_the_same_candidates() {
        let roles = Roles {
            gain: 0,
            cost: 1,
            combined: vec![2],
            lambdas: vec![1.0],
            discount: Discount::Flat,
        };
        let request = Request {
            id: "r".into(),
            part: Part::Test,
            unit: 1,
            k: 1,
            ids: ["a", "b", "c", "d"].map(String::from).to_vec(),
            probabilities: vec![
                vec![0.9, 0.5, 0.4, 1.0],
                vec![0.9, 0.3, 0.1, 0.0],
                vec![0.1, 0.9, 0.2, 1.0],
            ],
            realised: vec![
                vec![1.0, 0.0, 1.0, 1.0],
                vec![1.0, 0.0, 0.0, f64::NAN],
                vec![f64::NAN; 4],
            ],
            logged: None,
        };
        let mut pages = Pages::new("log".into(), roles, None, Some(1));
        pages.add(&[request]).unwrap();
        assert!(pages.contested);
        assert_eq!((pages.unlabelled, pages.unjudged), (1, 0));
        let (requests, sums) = &pages.test.users[&1];
        assert_eq!(*requests, 1.0);
        // d is out of all orders. 0.4 − 0.1 wins the sum; b wins the combined model; a the gain; c
        // the cost.
        let third = 1.0 / 3.0;
        assert_eq!(
            sums[..],
            [
                [1.0, 0.0],
                [0.0, 0.0],
                [1.0, 1.0],
                [1.0, 0.0],
                [2.0 * third, third]
            ]
        );
    }
}
