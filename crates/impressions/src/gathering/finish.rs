//! Checks gathered rows and makes a [`Request`] of them.

use counterweight_ranking::Density;

use super::Gathering;
use crate::{
    columns,
    error::LogError,
    log::{Log, UnshownLabels},
    request::{Exploration, Logged, Part, Request},
    summary::Summary,
};

/// How far the sum of the logged propensities of one place may differ from 1.
const SUM_TOLERANCE: f64 = 1e-6;
/// How far a probability may be outside [0, 1]: more than the rounding error of 32-bit floats.
const OVERSHOOT: f64 = 1e-5;

impl Gathering {
    /// The checked request; `None` if it was ranked without one of the objectives.
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

    /// Clamps probabilities that rounding has put slightly outside [0, 1]. Returns the number of
    /// clamped probabilities among those used for ranking.
    fn clamp(&mut self, log: &Log) -> Result<u64, LogError> {
        let mut clamped = 0;
        for (index, objective) in log.objectives.iter().enumerate() {
            for row in 0..self.probabilities[index].len() {
                let p = self.probabilities[index][row];
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
                self.probabilities[index][row] = nearest;
                clamped += u64::from(p != nearest);
            }
            // Propensities are computed from the logged probabilities, so these keep their values
            // except for the same rounding.
            for p in &mut self.logged[index] {
                let nearest = p.clamp(0.0, 1.0);
                if (*p - nearest).abs() <= OVERSHOOT {
                    *p = nearest;
                }
            }
        }
        Ok(clamped)
    }

    /// Drops and counts the labels of candidates that were not shown, or rejects them.
    fn drop_unshown(&mut self, log: &Log) -> Result<u64, LogError> {
        let mut dropped = 0;
        for row in 0..self.positions.len() {
            if self.positions[row] > 0 {
                continue;
            }
            for (index, objective) in log.objectives.iter().enumerate() {
                if self.realised[index][row].is_nan() {
                    continue;
                }
                if log.options.unshown_labels == UnshownLabels::Refuse {
                    return Err(self.wrong(
                        log,
                        format!(
                            "candidate {:?} has a label of `{}`, but was not shown, because its \
                             position is missing; leave such labels empty (a join may have filled \
                             them with 0), or drop them with --unshown-labels drop",
                            self.ids[row], objective.name
                        ),
                    ));
                }
                self.realised[index][row] = f64::NAN;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    /// Checks that all pages have the same length, unless the options give the length.
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
                return Err(self.wrong(log, "its `k` is missing; give the length of the page (k)"));
            }
        };
        if summary.k == 0 {
            summary.k = k;
        }
        if summary.k != k {
            return Err(self.wrong(
                log,
                format!(
                    "its page has {k} places, but earlier pages have {}; give one k for all",
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
                    "candidate {:?} has two rows; keep one row per candidate",
                    self.ids[pair[0]]
                ),
            )),
            None => Ok(order),
        }
    }

    /// What was shown and how it was randomised; `None` if the log does not contain both.
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
            (_, Some(_)) => self.logged_propensities(log, order, &shown)?,
            (Some(density), None) => self.randomised(log, order, &shown, *density)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Logged { shown, exploration }))
    }

    /// The propensities in the log. Each must be above 0 and at most 1. If one candidate was shown
    /// and every candidate has a propensity, they must sum to 1.
    fn logged_propensities(
        &self,
        log: &Log,
        order: &[usize],
        shown: &[(usize, usize)],
    ) -> Result<Exploration, LogError> {
        let propensity_of = |candidate: usize| self.propensities[order[candidate]];
        for &(candidate, position) in shown {
            let propensity = propensity_of(candidate);
            if !(propensity > 0.0 && propensity <= 1.0) {
                return Err(self.wrong(
                    log,
                    format!(
                        "the propensity of candidate {:?} at position {} is {propensity}; for a \
                         shown candidate it must be above 0 and at most 1",
                        self.ids[order[candidate]],
                        position + 1
                    ),
                ));
            }
        }
        if shown.len() == 1 && order.len() > 1 {
            let all: Vec<f64> = (0..order.len()).map(propensity_of).collect();
            if all.iter().all(|propensity| !propensity.is_nan()) {
                let sum: f64 = all.iter().sum();
                if (sum - 1.0).abs() > SUM_TOLERANCE || all.iter().any(|p| !(0.0..=1.0).contains(p))
                {
                    return Err(self.wrong(
                        log,
                        format!(
                            "the propensities of its {} candidates sum to {sum}; one candidate \
                             was shown, so they must sum to 1",
                            all.len()
                        ),
                    ));
                }
            }
        }
        let propensities = shown
            .iter()
            .map(|&(candidate, _)| propensity_of(candidate))
            .collect();
        Ok(Exploration::Propensities(propensities))
    }

    /// The data from which propensities follow if λ was drawn: the logged score without the second
    /// objective, in units of the first weight, and the second objective.
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
                "the positions shown have a gap; number them from 1 without gaps",
            ));
        }
        let logged = |objective: usize, row: usize| self.logged[objective].get(row).copied();
        let (mut fixed, mut swept) = (Vec::new(), Vec::new());
        for &row in order {
            let (Some(first), Some(second)) = (logged(0, row), logged(1, row)) else {
                return Err(self.wrong(
                    log,
                    "λ was randomised, but the log does not have the probabilities of the first \
                     two objectives; add their columns `p_<objective>`",
                ));
            };
            let mut score = first;
            for objective in 2..self.logged.len() {
                if let Some(p) = logged(objective, row) {
                    score += self.weights[objective] / self.weights[0] * p;
                }
            }
            if !(score.is_finite() && (0.0..=1.0).contains(&second)) {
                return Err(self.wrong(
                    log,
                    "a logged probability or weight is missing or out of range, so its \
                     propensities cannot be computed; correct it, or leave the request out",
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
