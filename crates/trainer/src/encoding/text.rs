//! Fits the text encoder: plain statistics, a column of log-odds for each kind of n-gram, and one
//! ridge score.

mod odds;
mod ridge;
mod scored;
mod vocabulary;

use std::borrow::Cow;

use counterweight_model::encoder::text::{
    GramBuffer, GramColumn, GramKind, STATISTICS, StatisticColumn, statistics,
};
use counterweight_model::encoder::{Encoder, Text};

use super::rows::{FittedEncoder, TrainingRows};
use super::scale::fit_standard;
use scored::Scored;

/// The columns of log-odds: name, kind of n-gram, and the smallest number of texts in which an
/// n-gram must occur.
const ODDS: [(&str, GramKind, u32); 3] = [
    ("odds of words", GramKind::Words, 2),
    ("odds of cased characters", GramKind::CasedCharacters, 5),
    ("odds of shapes", GramKind::Shapes, 3),
];
/// The kinds of n-grams that the ridge score uses together.
const RIDGE: [GramKind; 2] = [GramKind::Words, GramKind::Shapes];
/// The smallest number of texts in which an n-gram of the ridge score must occur.
const RIDGE_MIN_TEXTS: u32 = 2;

/// Fits on texts: one per training row, or one for all.
pub(super) fn fit(texts: &[Cow<'_, str>], training: &TrainingRows<'_>) -> FittedEncoder {
    let missing = texts.iter().filter(|text| text.is_empty()).count();
    if missing == texts.len() {
        return FittedEncoder::nothing("every text is missing");
    }
    if texts.iter().all(|text| *text == texts[0]) {
        return FittedEncoder::nothing("constant");
    }
    // `Encoders::encode_out_of_fold` expects a first column that marks missing texts, then the
    // other columns.
    let mut raw: Vec<f64> = texts
        .iter()
        .map(|text| if text.is_empty() { f64::NAN } else { 0.0 })
        .collect();
    let mut notes = vec![];
    let mut keep = |name: &str, values: &[f64]| {
        let standard = fit_standard(values.iter().copied());
        match standard {
            Some(_) => raw.extend(values),
            None => notes.push(format!("{name}: constant in training, left out")),
        }
        standard
    };
    let statistics = statistic_columns(texts)
        .into_iter()
        .zip(STATISTICS)
        .filter_map(|(values, name)| {
            keep(name, &values).map(|standard| StatisticColumn {
                name: name.into(),
                standard,
            })
        });
    let statistics = statistics.collect();
    let mut scores = vec![];
    for (name, kinds, scored) in score_columns(texts, training) {
        if let Some(standard) = keep(&name, &scored.out_of_fold) {
            scores.push(GramColumn {
                name,
                kinds,
                standard,
                table: scored.table,
            });
        }
    }
    let encoder = Encoder::Text(Text {
        statistics,
        scores,
        missing: missing > 0,
    });
    FittedEncoder {
        encoder,
        out_of_fold: Some(raw),
        notes,
    }
}

/// The value of every statistic for every text; NaN for a missing text.
fn statistic_columns(texts: &[Cow<'_, str>]) -> Vec<Vec<f64>> {
    let mut columns = vec![vec![f64::NAN; texts.len()]; STATISTICS.len()];
    let mut buffer = GramBuffer::default();
    for (row, text) in texts
        .iter()
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
    {
        buffer.read(text, &[]);
        let values = statistics(text, &buffer);
        columns
            .iter_mut()
            .zip(values)
            .for_each(|(column, value)| column[row] = value);
    }
    columns
}

/// All score columns in their order. The ridge score is fitted on a second thread at the same time
/// as the others.
fn score_columns(
    texts: &[Cow<'_, str>],
    training: &TrainingRows<'_>,
) -> Vec<(String, Vec<GramKind>, Scored)> {
    std::thread::scope(|scope| {
        let ridge = scope.spawn(|| ridge::fit(texts, training, &RIDGE, RIDGE_MIN_TEXTS));
        let mut columns: Vec<_> = ODDS
            .into_iter()
            .map(|(name, kind, min_texts)| {
                (
                    name.into(),
                    vec![kind],
                    odds::fit(texts, training, kind, min_texts),
                )
            })
            .collect();
        let ridge = ridge
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        columns.push(("ridge".into(), RIDGE.to_vec(), ridge));
        columns
    })
}
