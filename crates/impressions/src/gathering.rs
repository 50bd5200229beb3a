//! Collects the rows of one request.

mod finish;

use counterweight_dataset::{self as dataset, LogPiece, Role, whole_number};
use counterweight_ranking::Density;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{error::LogError, log::Log};

/// Maximum candidates of a request. A larger request is rejected: it would be in memory as a whole,
/// and no page is chosen from so many candidates.
pub const MOST_CANDIDATES: usize = 1_000_000;

/// Rows of one request, in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    pub(crate) id: String,
    pub(crate) part: Option<dataset::Part>,
    /// Whether its rows are in several parts.
    pub(crate) divided: bool,
    pub(crate) user: Option<String>,
    ids: Vec<String>,
    /// Numbers of the rows in the log, from 0.
    rows: Vec<u64>,
    probabilities: Vec<Vec<f64>>,
    realised: Vec<Vec<f64>>,
    /// By objective, the logged probabilities. They are needed if λ was randomised.
    logged: Vec<Vec<f64>>,
    weights: Vec<f64>,
    /// The position of each row, from 1; 0 is a candidate that was not shown.
    positions: Vec<u32>,
    propensities: Vec<f64>,
    lambda: Option<Density>,
    k: Option<f64>,
}

impl Gathering {
    /// Begins a request with its first row.
    pub(crate) fn begin(
        log: &Log,
        piece: &LogPiece,
        scored: &[Vec<f64>],
        row: usize,
        id: String,
    ) -> Result<Self, LogError> {
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

    /// The density from which λ was drawn, if it was drawn.
    fn density(
        &self,
        log: &Log,
        piece: &LogPiece,
        row: usize,
    ) -> Result<Option<Density>, LogError> {
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
                        "λ was drawn from {name:?} on [{low}, {high}]; expected lambda_density \
                         uniform with 0 ≤ lambda_low < lambda_high, or log_uniform with \
                         0 < lambda_low < lambda_high"
                    ),
                ));
            }
        };
        Ok(Some(density))
    }

    /// A request with this id and without rows.
    pub(crate) fn empty(id: String) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// Adds a row, and notes whether it is in another part than the rows before it.
    pub(crate) fn add(
        &mut self,
        log: &Log,
        piece: &LogPiece,
        scored: &[Vec<f64>],
        row: usize,
    ) -> Result<(), LogError> {
        self.divided |= self.part != piece.parts[row];
        self.push(log, piece, scored, row)
    }

    fn push(
        &mut self,
        log: &Log,
        piece: &LogPiece,
        scored: &[Vec<f64>],
        row: usize,
    ) -> Result<(), LogError> {
        if self.ids.len() == MOST_CANDIDATES {
            return Err(self.wrong(
                log,
                format!(
                    "it has more than {MOST_CANDIDATES} candidates; a request is ranked in memory \
                     as a whole, so check that the request column distinguishes requests"
                ),
            ));
        }
        let number = piece.rows[row];
        let id = match piece.id(Role::Candidate) {
            // Ids decide the order of equal scores. Row numbers would favour the first rows of the
            // file; a hash does not.
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
        self.rows.push(number);
        for (own, column) in self.probabilities.iter_mut().zip(scored) {
            own.extend(column.get(row));
        }
        for (index, own) in self.realised.iter_mut().enumerate() {
            let outcome = log.columns.outcome[index].map(|column| piece.outcomes[column][row]);
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

    fn position(&self, log: &Log, text: &str) -> Result<u32, LogError> {
        if text.is_empty() {
            return Ok(0);
        }
        match whole_number(text).and_then(|position| u32::try_from(position).ok()) {
            Some(position) if position > 0 => Ok(position),
            _ => Err(self.wrong(
                log,
                format!(
                    "position {text:?} is not a whole number from 1; \
                     leave it empty if the candidate was not shown"
                ),
            )),
        }
    }

    pub(crate) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Adds the rows of another request, which was grouped into this one.
    pub(crate) fn append(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.rows.extend(other.rows);
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

    /// The hash of the user, or of the request if the user is unknown.
    pub(crate) fn unit(&self) -> u64 {
        unit(self.user.as_deref(), &self.id)
    }

    fn wrong(&self, log: &Log, problem: impl Into<String>) -> LogError {
        LogError::Request {
            log: log.name().to_owned(),
            request: self.id.clone(),
            problem: problem.into(),
        }
    }
}

/// The unit that the bootstrap draws: the hash of the user, or of the request if the user is
/// unknown.
pub(crate) fn unit(user: Option<&str>, request: &str) -> u64 {
    match user.filter(|user| !user.is_empty()) {
        Some(user) => xxh3_64_with_seed(user.as_bytes(), 0),
        None => xxh3_64_with_seed(request.as_bytes(), 1),
    }
}
