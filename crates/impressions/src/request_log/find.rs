//! Finds a ranking in the parts of a request log, by its id or by unit and time.

use std::path::{Path, PathBuf};

use counterweight_dataset::LogColumns;

use super::part::Part;
use crate::{columns, error::LogError};

/// Where a ranking is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRanking {
    /// The part that has it.
    pub part: PathBuf,
    /// Its id.
    pub ranking: String,
    /// When it was ranked, in milliseconds since 1970.
    pub time_ms: i64,
}

/// The ranking with this id; `None` if no part has it.
///
/// # Errors
/// [`LogError::Dataset`] for a part that cannot be read, [`LogError::Log`] for a file that is not a part
/// of a request log.
pub fn find_ranking<P: AsRef<Path>>(
    parts: &[P],
    ranking: &str,
) -> Result<Option<FoundRanking>, LogError> {
    for part in parts {
        let mut found = None;
        scan(part.as_ref(), |row| {
            if row.ranking == ranking {
                found.get_or_insert_with(|| row.found(part.as_ref()));
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The ranking of a unit whose time is nearest; of two that are as near, the one with the lower id.
/// `units` are the forms in which the log may have the unit.
///
/// # Errors
/// As [`find_ranking`].
pub fn nearest_ranking<P: AsRef<Path>>(
    parts: &[P],
    units: &[String],
    time_ms: i64,
) -> Result<Option<FoundRanking>, LogError> {
    let mut nearest: Option<FoundRanking> = None;
    for part in parts {
        scan(part.as_ref(), |row| {
            if !units.iter().any(|unit| unit == row.user) {
                return;
            }
            let distance = |time: i64| time.abs_diff(time_ms);
            let nearer = nearest.as_ref().is_none_or(|nearest| {
                (distance(row.time_ms), row.ranking)
                    < (distance(nearest.time_ms), nearest.ranking.as_str())
            });
            if nearer {
                nearest = Some(row.found(part.as_ref()));
            }
        })?;
    }
    Ok(nearest)
}

struct Row<'p> {
    ranking: &'p str,
    /// Empty for none.
    user: &'p str,
    time_ms: i64,
}

impl Row<'_> {
    fn found(&self, part: &Path) -> FoundRanking {
        FoundRanking {
            part: part.to_owned(),
            ranking: self.ranking.to_owned(),
            time_ms: self.time_ms,
        }
    }
}

/// Visits every row of a part, and reads nothing else of it.
fn scan(path: &Path, mut visit: impl FnMut(Row<'_>)) -> Result<(), LogError> {
    let part = Part::open(path)?;
    let mut wanted = LogColumns::default();
    let ranking = part.text(&mut wanted, columns::RANKING);
    let user = part.text(&mut wanted, columns::USER);
    let time = part.number(&mut wanted, columns::TIME);
    for piece in part.read(wanted)? {
        let piece = piece?;
        let text =
            |place: Option<usize>, row: usize| place.map_or("", |at| piece.texts[at][row].as_str());
        for row in 0..piece.len() {
            visit(Row {
                ranking: text(ranking, row),
                user: text(user, row),
                // Milliseconds are whole numbers below 2^53.
                time_ms: time.map_or(0, |at| piece.numbers[at][row] as i64),
            });
        }
    }
    Ok(())
}
