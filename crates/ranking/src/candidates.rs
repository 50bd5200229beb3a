//! What is checked of the candidates of one request before anything is computed from them.

use crate::error::RankingError;

/// Checks one column of probabilities per objective, all of one length, each in [0, 1]; `request`
/// is its number for the message. Gives the number of candidates.
pub(crate) fn check(
    request: usize,
    probabilities: &[&[f64]],
    objectives: usize,
) -> Result<usize, RankingError> {
    let n = probabilities.first().map_or(0, |column| column.len());
    shape(
        request,
        probabilities,
        (objectives, n),
        [
            "`probabilities` (one column per objective)",
            "a column of `probabilities`",
        ],
    )?;
    if n == 0 {
        return Err(RankingError::NoCandidates { request });
    }
    if n >= u32::MAX as usize {
        return Err(RankingError::TooManyCandidates {
            request,
            candidates: n,
        });
    }
    match first(probabilities, in_range) {
        Some((objective, candidate, value)) => Err(RankingError::Probability {
            request,
            candidate,
            objective,
            value,
        }),
        None => Ok(n),
    }
}

/// Checks that there are `columns` columns of `n` entries; `names` are those of the whole and of
/// one column.
pub(crate) fn shape(
    request: usize,
    found: &[&[f64]],
    (columns, n): (usize, usize),
    [whole, one]: [&'static str; 2],
) -> Result<(), RankingError> {
    let lengths = found.iter().map(|column| (one, column.len(), n));
    let mut all = std::iter::once((whole, found.len(), columns)).chain(lengths);
    match all.find(|(_, found, expected)| found != expected) {
        Some((what, found, expected)) => Err(RankingError::Length {
            request,
            what,
            found,
            expected,
        }),
        None => Ok(()),
    }
}

/// Whether it can be a probability.
pub(crate) fn in_range(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

/// The first value that is not good, with its column and row.
pub(crate) fn first(columns: &[&[f64]], good: impl Fn(f64) -> bool) -> Option<(usize, usize, f64)> {
    columns.iter().enumerate().find_map(|(objective, column)| {
        // Without a way out of the loop it is several at a time.
        if column.iter().fold(true, |all, &value| all & good(value)) {
            return None;
        }
        let candidate = column.iter().position(|&value| !good(value))?;
        Some((objective, candidate, column[candidate]))
    })
}
