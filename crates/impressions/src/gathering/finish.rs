//! The checks that make a [`Request`] of the rows that were gathered.

use counterweight_ranking::Density;

use super::Gathering;
use crate::{
    columns,
    error::LogError,
    log::{Log, UnshownLabels},
    request::{Exploration, Logged, Part, Request},
    summary::Summary,
};

/// How far the logged propensities of one place may sum from 1.
const SUM_TOLERANCE: f64 = 1e-6;
/// How far a probability may lie outside [0, 1]: what 32-bit floats round by, and to spare.
const OVERSHOOT: f64 = 1e-5;

impl Gathering {
    /// The checked request; nothing where it was ranked without an objective.
    pub(crate) fn finish(
        mut self,
        log: &Log,
        part: Part,
        summary: &mut Summary,
    ) -> Result<Option<Request>, LogError> {
        if self.probabilities.iter().flatten().any(|p| p.is_nan()) {
            summary.incomplete += 1;
            return Ok(None);
        }
        self.check_k(log, summary)?;
        summary.clamped += self.clamp(log)?;
        summary.unshown_labels += self.drop_unshown(log)?;
        let order = self.order(log)?;
        let unit = self.unit();
        let take = |column: &Vec<f64>| -> Vec<f64> {
            if column.is_empty() {
                return Vec::new();
            }
            order.iter().map(|&row| column[row]).collect()
        };
        let logged = self.logged(log, &order)?;
        Ok(Some(Request {
            part,
            unit,
            k: summary.k,
            probabilities: self.probabilities.iter().map(take).collect(),
            realised: self.realised.iter().map(take).collect(),
            logged,
            ids: order
                .iter()
                .map(|&row| std::mem::take(&mut self.ids[row]))
                .collect(),
            id: self.id,
        }))
    }

    /// Clamps probabilities that rounding has put a little outside [0, 1], and counts those that
    /// are ranked by.
    fn clamp(&mut self, log: &Log) -> Result<u64, LogError> {
        let mut clamped = 0;
        for (at, objective) in log.objectives.iter().enumerate() {
            for row in 0..self.probabilities[at].len() {
                let p = self.probabilities[at][row];
                let nearest = p.clamp(0.0, 1.0);
                if (p - nearest).abs() > OVERSHOOT {
                    return Err(self.wrong(
                        log,
                        format!(
                            "row {}, candidate {:?}: {} is {p}; a probability is from 0 to 1",
                            self.rows[row] + 1,
                            self.ids[row],
                            columns::probability(&objective.name)
                        ),
                    ));
                }
                self.probabilities[at][row] = nearest;
                clamped += u64::from(p != nearest);
            }
            // What the propensities follow from is as it was ranked, but for the same rounding.
            for p in &mut self.logged[at] {
                let nearest = p.clamp(0.0, 1.0);
                if (*p - nearest).abs() <= OVERSHOOT {
                    *p = nearest;
                }
            }
        }
        Ok(clamped)
    }

    /// Leaves out the labels of candidates that were not shown, and counts them; or refuses them.
    fn drop_unshown(&mut self, log: &Log) -> Result<u64, LogError> {
        let mut dropped = 0;
        for row in 0..self.positions.len() {
            if self.positions[row] > 0 {
                continue;
            }
            for (at, objective) in log.objectives.iter().enumerate() {
                if self.realised[at][row].is_nan() {
                    continue;
                }
                if log.options.unshown_labels == UnshownLabels::Refuse {
                    return Err(self.wrong(
                        log,
                        format!(
                            "candidate {:?} has a label of `{}` although its position is missing, so that it was not shown; leave such labels empty (a join may have filled them with 0), or drop them with --unshown-labels drop",
                            self.ids[row], objective.name
                        ),
                    ));
                }
                self.realised[at][row] = f64::NAN;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    /// The page has one size in the whole log, or the size that the options give.
    fn check_k(&self, log: &Log, summary: &mut Summary) -> Result<(), LogError> {
        if log.options.k.is_some() {
            return Ok(());
        }
        let k = match self.k {
            Some(k) if k >= 1.0 && k.fract() == 0.0 => k as usize,
            Some(k) => {
                return Err(self.wrong(log, format!("k is {k}; it is a whole number from 1")));
            }
            None => {
                return Err(self.wrong(log, "its `k` is missing; give the places of the page (k)"));
            }
        };
        if summary.k == 0 {
            summary.k = k;
        }
        if summary.k != k {
            return Err(self.wrong(
                log,
                format!(
                    "its page has {k} places and those before it have {}; give one number of places for all",
                    summary.k
                ),
            ));
        }
        Ok(())
    }

    /// The rows in ascending order of their ids.
    fn order(&self, log: &Log) -> Result<Vec<usize>, LogError> {
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        order.sort_unstable_by(|&a, &b| self.ids[a].cmp(&self.ids[b]));
        match order
            .windows(2)
            .find(|pair| self.ids[pair[0]] == self.ids[pair[1]])
        {
            Some(pair) => Err(self.wrong(
                log,
                format!(
                    "candidate {:?} stands there twice; each candidate is one row",
                    self.ids[pair[0]]
                ),
            )),
            None => Ok(order),
        }
    }

    /// What was shown, and how it was drawn.
    fn logged(&self, log: &Log, order: &[usize]) -> Result<Option<Logged>, LogError> {
        let mut shown: Vec<(usize, usize)> = Vec::new();
        for (candidate, &row) in order.iter().enumerate() {
            if let Some(position @ 1..) = self.positions.get(row).copied() {
                shown.push((candidate, position as usize - 1));
            }
        }
        shown.sort_unstable_by_key(|&(_, position)| position);
        if let Some(pair) = shown.windows(2).find(|pair| pair[0].1 == pair[1].1) {
            return Err(self.wrong(
                log,
                format!("two candidates were shown at position {}", pair[0].1 + 1),
            ));
        }
        let exploration = match (&self.lambda, log.columns.propensity) {
            _ if shown.is_empty() => return Ok(None),
            (_, Some(_)) => self.propensities_of(log, order, &shown)?,
            (Some(density), None) => self.randomised(log, order, &shown, *density)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Logged { shown, exploration }))
    }

    /// Propensities of the log: each above 0 and at most 1; where every candidate has one and one
    /// was shown, they sum to 1.
    fn propensities_of(
        &self,
        log: &Log,
        order: &[usize],
        shown: &[(usize, usize)],
    ) -> Result<Exploration, LogError> {
        let of = |candidate: usize| self.propensities[order[candidate]];
        for &(candidate, position) in shown {
            let propensity = of(candidate);
            if !(propensity > 0.0 && propensity <= 1.0) {
                return Err(self.wrong(
                    log,
                    format!(
                        "the propensity of candidate {:?} at position {} is {propensity}; what was shown had a chance above 0 and at most 1",
                        self.ids[order[candidate]],
                        position + 1
                    ),
                ));
            }
        }
        if shown.len() == 1 && order.len() > 1 {
            let all: Vec<f64> = (0..order.len()).map(of).collect();
            if all.iter().all(|propensity| !propensity.is_nan()) {
                let sum: f64 = all.iter().sum();
                if (sum - 1.0).abs() > SUM_TOLERANCE || all.iter().any(|p| !(0.0..=1.0).contains(p))
                {
                    return Err(self.wrong(
                        log,
                        format!(
                            "the propensities of its {} candidates sum to {sum}; one candidate was shown, so they sum to 1",
                            all.len()
                        ),
                    ));
                }
            }
        }
        Ok(Exploration::Propensities(
            shown.iter().map(|&(candidate, _)| of(candidate)).collect(),
        ))
    }

    /// λ was drawn: the logged score in units of the first weight, but for the second objective.
    fn randomised(
        &self,
        log: &Log,
        order: &[usize],
        shown: &[(usize, usize)],
        density: Density,
    ) -> Result<Exploration, LogError> {
        if shown
            .iter()
            .enumerate()
            .any(|(place, &(_, position))| place != position)
        {
            return Err(self.wrong(
                log,
                "the positions shown have a gap; they go from 1 up without one",
            ));
        }
        let of = |objective: usize, row: usize| self.logged[objective].get(row).copied();
        let (mut fixed, mut swept) = (Vec::new(), Vec::new());
        for &row in order {
            let (Some(first), Some(second)) = (of(0, row), of(1, row)) else {
                return Err(self.wrong(
                    log,
                    "λ was randomised, but the log lacks the probabilities that it weighed: `p_` of the first two objectives",
                ));
            };
            let mut score = first;
            for objective in 2..self.logged.len() {
                if let Some(p) = of(objective, row) {
                    score += self.weights[objective] / self.weights[0] * p;
                }
            }
            if !(score.is_finite() && (0.0..=1.0).contains(&second)) {
                return Err(self.wrong(
                    log,
                    "a logged probability or weight is missing or out of its range, so that its propensities cannot be known",
                ));
            }
            fixed.push(score);
            swept.push(second);
        }
        Ok(Exploration::Lambda {
            density,
            fixed,
            swept,
        })
    }
}
