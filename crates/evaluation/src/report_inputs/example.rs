//! One request, ranked with the weights now and with others: what a change does, to be seen with
//! one's own eyes.

use counterweight_impressions::{Part, Request};
use serde::Serialize;

use crate::question::CheckedQuestion;

/// Requests that an example is chosen from.
const KEPT: usize = 500;
/// Rows that are shown below the page.
const BELOW: usize = 2;

/// Requests of the test part from which an example is chosen.
#[derive(Debug, Clone, Default)]
pub struct ExampleRequests {
    requests: Vec<Request>,
}

/// One candidate of the example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExampleRow {
    /// Its id.
    pub id: String,
    /// Its place before, from 1.
    pub before: usize,
    /// Its place after, from 1.
    pub after: usize,
    /// Its probability for each objective.
    pub probabilities: Vec<f64>,
    /// Its score before and after.
    pub scores: [f64; 2],
    /// What came of it for each objective, where that is known.
    pub outcomes: Vec<Option<f64>>,
}

/// A request ranked twice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// The request's id.
    pub request: String,
    /// λ before and after.
    pub lambdas: [f64; 2],
    /// Places of the page.
    pub k: usize,
    /// How many candidates it has.
    pub candidates: usize,
    /// How many of the page's candidates are others.
    pub changed: usize,
    /// What is on either page and a little below, by the order after.
    pub rows: Vec<ExampleRow>,
}

impl ExampleRequests {
    /// Keeps the first requests of the test part.
    pub fn add(&mut self, batch: &[Request]) {
        let room = KEPT.saturating_sub(self.requests.len());
        let test = batch.iter().filter(|request| request.part == Part::Test);
        self.requests.extend(test.take(room).cloned());
    }

    /// The request in which as many candidates change as in the median one of those that change;
    /// none where no page does.
    pub fn choose(
        &self,
        question: &CheckedQuestion,
        k: usize,
        lambdas: [f64; 2],
    ) -> Option<Example> {
        let mut changed: Vec<(usize, usize)> = (0..self.requests.len())
            .map(|at| (changes(question, k, lambdas, &self.requests[at]), at))
            .filter(|(changes, _)| *changes > 0)
            .collect();
        changed.sort_unstable();
        let (count, at) = *changed.get(changed.len() / 2)?;
        Some(example(question, k, lambdas, &self.requests[at], count))
    }
}

/// Scores and order, as served: the highest score first, ties by the id.
fn order(question: &CheckedQuestion, lambda: f64, request: &Request) -> (Vec<f64>, Vec<usize>) {
    let weights = question.weights_at(lambda);
    let score = |i: usize| -> f64 {
        let each = question.places.iter().zip(&weights);
        each.map(|(&m, weight)| weight * request.probabilities[m][i])
            .sum::<f64>()
            + 0.0
    };
    let scores: Vec<f64> = (0..request.ids.len()).map(score).collect();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    (scores, order)
}

fn changes(question: &CheckedQuestion, k: usize, lambdas: [f64; 2], request: &Request) -> usize {
    let [before, after] = lambdas.map(|lambda| order(question, lambda, request).1);
    let page: Vec<&usize> = before.iter().take(k).collect();
    after.iter().take(k).filter(|i| !page.contains(i)).count()
}

fn example(
    question: &CheckedQuestion,
    k: usize,
    lambdas: [f64; 2],
    request: &Request,
    changed: usize,
) -> Example {
    let [(scores_before, before), (scores_after, after)] =
        lambdas.map(|lambda| order(question, lambda, request));
    let place = |order: &[usize], i: usize| {
        let found = order.iter().position(|own| *own == i);
        found.unwrap_or_default() + 1
    };
    let row = |&i: &usize| ExampleRow {
        id: request.ids[i].clone(),
        before: place(&before, i),
        after: place(&after, i),
        probabilities: question
            .places
            .iter()
            .map(|&m| request.probabilities[m][i])
            .collect(),
        scores: [scores_before[i], scores_after[i]],
        outcomes: question
            .places
            .iter()
            .map(|&m| Some(request.realised[m][i]).filter(|outcome| !outcome.is_nan()))
            .collect(),
    };
    let shown = |row: &ExampleRow| row.after <= k + BELOW || row.before <= k;
    Example {
        request: request.id.clone(),
        lambdas,
        k: k.min(request.ids.len()),
        candidates: request.ids.len(),
        changed,
        rows: after.iter().map(row).filter(shown).collect(),
    }
}
