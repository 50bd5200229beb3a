//! A request while its rows come in, and the checks that make a [`Request`] of it.

use counterweight_dataset::{self as dataset, LogPiece, Role};
use counterweight_ranking::ope::Density;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    Exploration, Logged, OfflineError, Part, Request, Summary, log::Log, read::MOST_CANDIDATES,
};

/// How far the logged propensities of one place may sum from 1.
const SUM_TOLERANCE: f64 = 1e-6;

/// Rows of one request, in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    pub(crate) id: String,
    pub(crate) part: Option<dataset::Part>,
    /// Whether its rows lie in several parts.
    pub(crate) divided: bool,
    pub(crate) user: Option<String>,
    ids: Vec<String>,
    probabilities: Vec<Vec<f64>>,
    realised: Vec<Vec<f64>>,
    /// Logged probabilities and weights by objective, where λ was randomised.
    logged: Vec<Vec<f64>>,
    weights: Vec<f64>,
    /// 1 is the first; 0 was not shown.
    positions: Vec<u32>,
    propensities: Vec<f64>,
    lambda: Option<Density>,
    k: Option<f64>,
}

impl Gathering {
    /// Begins a request with one row.
    pub(crate) fn of_row(
        log: &Log,
        piece: &LogPiece,
        scored: &[Vec<f64>],
        row: usize,
        id: String,
    ) -> Result<Self, OfflineError> {
        let objectives = log.objectives.len();
        let mut begun = Self {
            id,
            user: piece.id(Role::User).map(|users| users[row].clone()),
            probabilities: vec![Vec::new(); objectives],
            realised: vec![Vec::new(); objectives],
            logged: vec![Vec::new(); objectives],
            ..Self::default()
        };
        let number = |column: Option<usize>| column.map(|column| piece.numbers[column][row]);
        begun.k = number(log.columns.k).filter(|k| !k.is_nan());
        let weights = log.columns.weight.iter();
        begun.weights = weights
            .map(|column| number(*column).unwrap_or(f64::NAN))
            .collect();
        begun.lambda = begun.density(log, piece, row)?;
        begun.push(log, piece, scored, row)?;
        Ok(begun)
    }

    /// The density that λ was drawn from, if it was.
    fn density(
        &self,
        log: &Log,
        piece: &LogPiece,
        row: usize,
    ) -> Result<Option<Density>, OfflineError> {
        let Some([low, high]) = log.columns.lambda else {
            return Ok(None);
        };
        let (low, high) = (piece.numbers[low][row], piece.numbers[high][row]);
        if low.is_nan() && high.is_nan() {
            return Ok(None);
        }
        let name = log
            .columns
            .density
            .map_or("", |column| piece.texts[column][row].as_str());
        let density = match name {
            "uniform" if low >= 0.0 && high > low => Density::Uniform { low, high },
            "log_uniform" if low > 0.0 && high > low => Density::LogUniform { low, high },
            _ => {
                return Err(self.wrong(
                    log,
                    format!(
                        "λ was drawn from {name:?} on [{low}, {high}]; expected lambda_density uniform with 0 ≤ lambda_low < lambda_high, or log_uniform with 0 < lambda_low < lambda_high"
                    ),
                ));
            }
        };
        Ok(Some(density))
    }

    pub(crate) fn push(
        &mut self,
        log: &Log,
        piece: &LogPiece,
        scored: &[Vec<f64>],
        row: usize,
    ) -> Result<(), OfflineError> {
        if self.ids.len() == MOST_CANDIDATES {
            return Err(self.wrong(
                log,
                format!(
                    "more than {MOST_CANDIDATES} candidates; a request is ranked in memory as a whole, so check that the request column tells requests apart"
                ),
            ));
        }
        let number = piece.rows[row];
        let id = match piece.id(Role::Candidate) {
            // The order of a file may favour its first rows; a hash does not.
            None => format!(
                "{:016x}{number:x}",
                xxh3_64_with_seed(&number.to_le_bytes(), log.options.seed)
            ),
            Some(ids) if ids[row].is_empty() => {
                return Err(self.wrong(log, format!("row {} has no candidate id", number + 1)));
            }
            Some(ids) => ids[row].clone(),
        };
        self.ids.push(id);
        for (own, column) in self.probabilities.iter_mut().zip(scored) {
            own.extend(column.get(row));
        }
        for (at, own) in self.realised.iter_mut().enumerate() {
            let outcome = log.columns.outcome[at].map(|column| piece.outcomes[column][row]);
            own.push(outcome.unwrap_or(f64::NAN));
        }
        for (own, column) in self.logged.iter_mut().zip(&log.columns.probability) {
            own.extend(column.map(|column| piece.numbers[column][row]));
        }
        if let Some(positions) = piece.id(Role::Position) {
            let position = self.position(log, &positions[row])?;
            self.positions.push(position);
        }
        if let Some(column) = log.columns.propensity {
            self.propensities.push(piece.numbers[column][row]);
        }
        Ok(())
    }

    fn position(&self, log: &Log, text: &str) -> Result<u32, OfflineError> {
        if text.is_empty() {
            return Ok(0);
        }
        match text.parse() {
            Ok(position) if position > 0 => Ok(position),
            _ => Err(self.wrong(
                log,
                format!(
                    "position {text:?} is no whole number from 1; leave it empty where a candidate was not shown"
                ),
            )),
        }
    }

    pub(crate) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Adds the rows of another one, which was dealt the same request.
    pub(crate) fn append(&mut self, other: Self) {
        self.ids.extend(other.ids);
        let columns = [
            (&mut self.probabilities, other.probabilities),
            (&mut self.realised, other.realised),
            (&mut self.logged, other.logged),
        ];
        for (own, others) in columns {
            for (own, other) in own.iter_mut().zip(others) {
                own.extend(other);
            }
        }
        self.positions.extend(other.positions);
        self.propensities.extend(other.propensities);
    }

    /// The hash of the user, of the request where there is none.
    pub(crate) fn unit(&self) -> u64 {
        let user = self.user.as_deref().filter(|user| !user.is_empty());
        match user {
            Some(user) => xxh3_64_with_seed(user.as_bytes(), 0),
            None => xxh3_64_with_seed(self.id.as_bytes(), 1),
        }
    }

    fn wrong(&self, log: &Log, problem: impl Into<String>) -> OfflineError {
        OfflineError::Request {
            log: log.name().to_owned(),
            request: self.id.clone(),
            problem: problem.into(),
        }
    }

    /// The checked request; nothing where it was ranked without an objective.
    pub(crate) fn finish(
        mut self,
        log: &Log,
        part: Part,
        summary: &mut Summary,
    ) -> Result<Option<Request>, OfflineError> {
        if self.probabilities.iter().flatten().any(|p| p.is_nan()) {
            summary.incomplete += 1;
            return Ok(None);
        }
        self.check_k(log, summary)?;
        for (objective, column) in log.objectives.iter().zip(&self.probabilities) {
            if let Some(p) = column.iter().find(|p| !(0.0..=1.0).contains(*p)) {
                return Err(self.wrong(
                    log,
                    format!("p_{} is {p}; a probability is from 0 to 1", objective.name),
                ));
            }
        }
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

    /// The page is of one size in the whole log, or of the size that was asked for.
    fn check_k(&self, log: &Log, summary: &mut Summary) -> Result<(), OfflineError> {
        if log.options.k.is_some() {
            return Ok(());
        }
        let k = match self.k {
            Some(k) if k >= 1.0 && k.fract() == 0.0 => k as usize,
            Some(k) => {
                return Err(self.wrong(log, format!("k is {k}; it is a whole number from 1")));
            }
            None => return Err(self.wrong(log, "the log says no `k`; give the places of the page")),
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
    fn order(&self, log: &Log) -> Result<Vec<usize>, OfflineError> {
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
    fn logged(&self, log: &Log, order: &[usize]) -> Result<Option<Logged>, OfflineError> {
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

    /// Propensities of the log: each above 0 and at most 1; where every candidate has one and one was shown, they sum to 1.
    fn propensities_of(
        &self,
        log: &Log,
        order: &[usize],
        shown: &[(usize, usize)],
    ) -> Result<Exploration, OfflineError> {
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
    ) -> Result<Exploration, OfflineError> {
        if shown
            .iter()
            .enumerate()
            .any(|(place, &(_, position))| place != position)
        {
            return Err(self.wrong(log, "the positions shown have a gap; they go from 1 up"));
        }
        let of = |objective: usize, row: usize| self.logged[objective].get(row).copied();
        let (mut held, mut swept) = (Vec::new(), Vec::new());
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
            held.push(score);
            swept.push(second);
        }
        Ok(Exploration::Lambda {
            density,
            held,
            swept,
        })
    }
}
