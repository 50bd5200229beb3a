//! Removes what a log must forget from its rows. The rows of a unit go as a whole. A candidate keeps its
//! numbers and loses its name and its features, so that the rankings of others stay whole.

use counterweight_dataset::is_feature;
use counterweight_impressions::columns;
use counterweight_journal::Forgotten;
use polars::prelude::{
    BooleanChunked, ChunkFull as _, DataFrame, DataType, IdxCa, Int64Chunked, IntoColumn as _,
    NewChunkedArray as _, PolarsResult, StringChunked,
};

use crate::frame::millis;

/// The column of an event log with the time of arrival.
const RECEIVED: &str = "received";
/// What a forgotten candidate is called, with its number within the ranking.
const FORGOTTEN: &str = "forgotten";

/// Whether a candidate is one that was forgotten. Its events are gone, so nothing is known of it.
pub(crate) fn is_forgotten(candidate: &str) -> bool {
    let number = candidate
        .strip_prefix(FORGOTTEN)
        .and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|number| number.parse::<u64>().is_ok())
}

/// The rows of rankings, with times in milliseconds and without what must be forgotten, and how many
/// rows the forgetting removed or changed.
pub(crate) fn in_rankings(
    mut frame: DataFrame,
    forgotten: &Forgotten,
) -> PolarsResult<(DataFrame, u64)> {
    if let Ok(times) = frame.column(columns::TIME)
        && *times.dtype() != DataType::Int64
    {
        let times = millis(times)?;
        frame.with_column(times)?;
    }
    if forgotten.is_empty() {
        return Ok((frame, 0));
    }
    let before = frame.height();
    let gone = |unit: &str, time| forgotten.has_unit(unit, time);
    frame = without(frame, columns::USER, columns::TIME, gone)?;
    let removed = (before - frame.height()) as u64;
    let Ok(candidates) = frame.column(columns::CANDIDATE) else {
        return Ok((frame, removed));
    };
    let candidates = candidates.str()?.clone();
    let times = times(&frame, columns::TIME)?;
    let gone = |(id, time): (Option<&str>, Option<i64>)| {
        id.is_some_and(|id| forgotten.has_candidate(id, time.unwrap_or(0)))
    };
    let gone: Vec<bool> = candidates.iter().zip(times.iter()).map(gone).collect();
    let changed = gone.iter().filter(|gone| **gone).count() as u64;
    if changed == 0 {
        return Ok((frame, removed));
    }
    let rankings = match frame.column(columns::RANKING) {
        Ok(rankings) => rankings.str()?.clone(),
        Err(_) => frame.column(columns::REQUEST)?.str()?.clone(),
    };
    let mut number = 0;
    let mut before = None;
    let named = (0..frame.height()).map(|row| {
        let ranking = rankings.get(row);
        if before.replace(ranking) != Some(ranking) {
            number = 0;
        }
        if !gone[row] {
            return candidates.get(row).map(str::to_owned);
        }
        number += 1;
        Some(format!("{FORGOTTEN}-{number}"))
    });
    let named: Vec<Option<String>> = named.collect();
    let named = StringChunked::from_iter_options(columns::CANDIDATE.into(), named.into_iter());
    frame.with_column(named.into_column())?;
    // A row that is taken from nowhere is null.
    let rows = gone
        .iter()
        .zip(0..)
        .map(|(gone, row)| (!gone).then_some(row));
    let rows: IdxCa = rows.collect();
    let names: Vec<String> = frame
        .get_column_names()
        .into_iter()
        .map(ToString::to_string)
        .collect();
    for name in names.iter().filter(|name| is_feature(name)) {
        let blank = frame.column(name)?.take(&rows)?;
        frame.with_column(blank)?;
    }
    Ok((frame, removed + changed))
}

/// Events without those of units and candidates that must be forgotten, and how many these are.
pub(crate) fn in_events(frame: DataFrame, forgotten: &Forgotten) -> PolarsResult<(DataFrame, u64)> {
    if forgotten.is_empty() {
        return Ok((frame, 0));
    }
    let before = frame.height();
    let gone = |unit: &str, time| forgotten.has_unit(unit, time);
    let frame = without(frame, columns::USER, RECEIVED, gone)?;
    let gone = |id: &str, time| forgotten.has_candidate(id, time);
    let frame = without(frame, columns::CANDIDATE, RECEIVED, gone)?;
    let removed = (before - frame.height()) as u64;
    Ok((frame, removed))
}

/// The rows whose text in a column is not gone at the time of the row.
fn without(
    frame: DataFrame,
    column: &str,
    time: &str,
    gone: impl Fn(&str, i64) -> bool,
) -> PolarsResult<DataFrame> {
    let Ok(texts) = frame.column(column) else {
        return Ok(frame);
    };
    let texts = texts.cast(&DataType::String)?;
    let times = times(&frame, time)?;
    let keep: BooleanChunked = texts
        .str()?
        .iter()
        .zip(times.iter())
        .map(|(text, time)| !text.is_some_and(|text| gone(text, time.unwrap_or(0))))
        .collect();
    match keep.all() {
        true => Ok(frame),
        false => frame.filter(&keep),
    }
}

/// The times of rows; a file that does not have the column has time 0, which is before every
/// forgetting.
fn times(frame: &DataFrame, column: &str) -> PolarsResult<Int64Chunked> {
    match frame.column(column) {
        Ok(times) => Ok(millis(times)?.i64()?.clone()),
        Err(_) => Ok(Int64Chunked::full(column.into(), 0, frame.height())),
    }
}
