//! Decides the part of each row without reading other rows, so that the part is known before the
//! row is kept.

use counterweight_statistics::unit_interval;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    DatasetError, Excerpt, Part,
    convert::{Cells, Times},
    moment::Moment,
    pieces::Piece,
    spec::SplitSpec,
};

/// The rule that decides the part of a row.
#[derive(Debug, Clone)]
pub(crate) enum Splitter {
    /// No split: every row trains.
    AllTrain,
    /// By the hash of the group, or of the row's identity.
    Hash {
        spec: SplitSpec,
        column: Option<String>,
    },
    /// By time: the first moment of each part after the first, and of the rows beyond the last
    /// part. An empty part starts where the next one does.
    Time {
        column: String,
        starts: Vec<Option<Moment>>,
    },
    /// By a column that names the part.
    Column(String),
}

impl SplitSpec {
    fn fractions(&self) -> [f64; 4] {
        [
            self.train.unwrap_or(0.0),
            self.calibrate,
            self.tune,
            self.test,
        ]
    }

    /// The cumulative share at which each part ends.
    fn ends(&self) -> [f64; 4] {
        let mut sum = 0.0;
        self.fractions().map(|fraction| {
            sum += fraction;
            // Rounding makes fractions such as 0.7 + 0.1 + 0.2 fall short of 1. Without this, a row
            // could fall into the gap.
            if sum > 1.0 - 1e-9 { 1.0 } else { sum }
        })
    }
}

/// The part for a share in [0, 1), or `None` beyond the last part.
fn part_for_share(share: f64, ends: [f64; 4]) -> Option<Part> {
    Part::ALL
        .into_iter()
        .zip(ends)
        .find(|(_, end)| share < *end)
        .map(|(part, _)| part)
}

impl Splitter {
    /// The part of each row, or `None` for a row in no part. `identity` returns the hash of a row
    /// under a seed.
    pub(crate) fn parts(
        &self,
        piece: &Piece,
        identity: &dyn Fn(usize, u64) -> u64,
    ) -> Result<Vec<Option<Part>>, DatasetError> {
        match self {
            Self::AllTrain => Ok(vec![Some(Part::Train); piece.len()]),
            Self::Hash { spec, column } => {
                let ends = spec.ends();
                let groups = match column
                    .as_ref()
                    .and_then(|column| Cells::find(piece, column))
                {
                    Some(cells) => Some(cells.texts()?),
                    None => None,
                };
                let hash = |row: usize| match &groups {
                    Some(groups) if !groups[row].is_empty() => {
                        xxh3_64_with_seed(groups[row].as_bytes(), spec.seed)
                    }
                    // A row without a group is its own group.
                    _ => identity(row, spec.seed),
                };
                Ok((0..piece.len())
                    .map(|row| part_for_share(unit_interval(hash(row)), ends))
                    .collect())
            }
            Self::Time { column, starts } => {
                let mut times = Times::comparable_with(starts.iter().flatten().next());
                let moments = read_moments(&mut times, piece, column)?;
                Ok(moments
                    .iter()
                    .map(|moment| part_in_time(moment, starts))
                    .collect())
            }
            Self::Column(column) => named_parts(piece, column),
        }
    }
}

/// The last part that starts at or before the moment, or `None` beyond the end of the last part.
fn part_in_time(moment: &Moment, starts: &[Option<Moment>]) -> Option<Part> {
    let passed = starts
        .iter()
        .filter(|start| start.as_ref().is_some_and(|start| moment >= start))
        .count();
    Part::ALL.get(passed).copied()
}

/// The moments of all rows. A missing time is an error.
pub(crate) fn read_moments(
    times: &mut Times,
    piece: &Piece,
    column: &str,
) -> Result<Vec<Moment>, DatasetError> {
    let moment = |(row, moment): (usize, Option<Moment>)| {
        moment.ok_or_else(|| DatasetError::Value {
            column: column.to_owned(),
            file: piece.file.clone(),
            row: piece.rows[row],
            value: Excerpt::value(""),
            expected: "a time; a split by time needs one in every row".to_owned(),
        })
    };
    let moments = times.read(piece, column)?;
    moments.into_iter().enumerate().map(moment).collect()
}

/// The first moment of each part after the first, and of the rows beyond the last part. Rows with
/// equal moments share a part.
pub(crate) fn part_starts(mut moments: Vec<Moment>, spec: &SplitSpec) -> Vec<Option<Moment>> {
    moments.sort_unstable();
    let rows = moments.len();
    spec.ends()
        .iter()
        .map(|end| moments.get((end * rows as f64).round() as usize).cloned())
        .collect()
}

fn named_parts(piece: &Piece, column: &str) -> Result<Vec<Option<Part>>, DatasetError> {
    let Some(cells) = Cells::find(piece, column) else {
        return Ok(vec![None; piece.len()]);
    };
    let part =
        |(row, name): (usize, String)| match Part::ALL.into_iter().find(|part| part.name() == name)
        {
            Some(part) => Ok(Some(part)),
            None if name.is_empty() => Ok(None),
            None => Err(cells.wrong_value(row, &name, "train, calibrate, tune, test or empty")),
        };
    cells.texts()?.into_iter().enumerate().map(part).collect()
}
