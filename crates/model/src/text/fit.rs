//! Fits the text encoder: how often every n-gram occurs with either label, over all rows and without each fold.
//!
//! The number of an n-gram g is `r(g) = ln p₁(g) − ln p₀(g)` with `p_c(g) = (1 + texts of class c with g) / (sum of the same over
//! all counted n-grams)`. For a training row it is computed without the row's fold.

use std::borrow::Cow;
use std::collections::HashMap;

use super::grams::{GramBuffer, GramKind};
use super::statistics::{STATISTICS, Statistics};
use super::{FAMILIES, Family, GramColumn, StatisticColumn, Text, score};
use crate::encoder::{Encoder, Fitted, Training};
use crate::scale::Standard;
use crate::table::Table;

/// Fits on texts, one per training row or one for all.
pub(crate) fn fit(texts: &[Cow<'_, str>], training: &Training<'_>) -> Fitted {
    let missing = texts.iter().filter(|text| text.is_empty()).count();
    if missing == texts.len() {
        return Fitted::nothing("every text is missing");
    }
    // As `Text::raw` has it: a first column that tells missing texts, then the others.
    let present = |at: usize| if texts[at].is_empty() { f64::NAN } else { 0.0 };
    let rows = training.labels.len();
    let mut raw: Vec<f64> = (0..rows)
        .map(|row| present(if texts.len() == 1 { 0 } else { row }))
        .collect();
    let mut notes = vec![];
    let mut keep = |name: &str, values: Vec<f64>| {
        let standard = Standard::fit(values.iter().copied());
        match standard {
            Some(_) => raw.extend(values),
            None => notes.push(format!("{name}: constant in training, left out")),
        }
        standard
    };
    let statistics = statistic_columns(texts, training)
        .into_iter()
        .zip(STATISTICS)
        .filter_map(|(values, name)| {
            keep(name, values).map(|standard| StatisticColumn {
                name: name.into(),
                standard,
            })
        });
    let statistics: Vec<_> = statistics.collect();
    let grams = FAMILIES.iter().filter_map(|family| {
        let counts = Counts::of(texts, training, family);
        let values = counts.out_of_fold(texts, training, family.kind);
        let column = |standard| GramColumn {
            kind: family.kind,
            standard,
            table: counts.table(),
        };
        keep(family.kind.name(), values).map(column)
    });
    let grams: Vec<_> = grams.collect();
    if raw.len() == rows && missing == 0 {
        return Fitted::nothing("constant");
    }
    let encoder = Encoder::Text(Text {
        statistics,
        grams,
        missing: missing > 0,
    });
    Fitted {
        encoder,
        out_of_fold: Some(raw),
        notes,
    }
}

/// The value of every statistic in every row; NaN for missing texts.
fn statistic_columns(texts: &[Cow<'_, str>], training: &Training<'_>) -> Vec<Vec<f64>> {
    let mut columns = vec![vec![f64::NAN; training.labels.len()]; STATISTICS.len()];
    let mut buffer = GramBuffer::default();
    for (at, text) in texts
        .iter()
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
    {
        buffer.read(text);
        let values = Statistics::of(text, &buffer).0;
        for row in training.rows_of(at, texts.len()) {
            columns
                .iter_mut()
                .zip(values)
                .for_each(|(column, value)| column[row] = value);
        }
    }
    columns
}

/// In how many texts of either label and each fold every n-gram occurs.
struct Counts {
    ids: HashMap<u64, usize>,
    /// `[negatives, positives]` by n-gram and fold.
    texts: Vec<[u32; 2]>,
    folds: usize,
    min_texts: u32,
}

impl Counts {
    fn of(texts: &[Cow<'_, str>], training: &Training<'_>, family: &Family) -> Self {
        let folds = training.folds;
        let mut counts = Self {
            ids: HashMap::new(),
            texts: vec![],
            folds,
            min_texts: family.min_texts,
        };
        let mut buffer = GramBuffer::default();
        for (at, text) in texts.iter().enumerate() {
            buffer.read(text);
            for hash in buffer.distinct(family.kind) {
                let id = *counts.ids.entry(*hash).or_insert_with(|| {
                    counts.texts.resize(counts.texts.len() + folds, [0; 2]);
                    counts.texts.len() / folds - 1
                });
                for row in training.rows_of(at, texts.len()) {
                    counts.texts[id * folds + training.fold_of[row]]
                        [usize::from(training.labels[row])] += 1;
                }
            }
        }
        counts
    }

    /// Score of every row, with numbers that its own fold had no part in; NaN for missing texts.
    fn out_of_fold(
        &self,
        texts: &[Cow<'_, str>],
        training: &Training<'_>,
        kind: GramKind,
    ) -> Vec<f64> {
        let numbers: Vec<Vec<f32>> = (0..self.folds)
            .map(|fold| self.log_odds(Some(fold)))
            .collect();
        let mut out = vec![f64::NAN; training.labels.len()];
        let mut buffer = GramBuffer::default();
        for (at, text) in texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            buffer.read(text);
            let hashes = buffer.distinct(kind);
            for row in training.rows_of(at, texts.len()) {
                let numbers = &numbers[training.fold_of[row]];
                let number = |hash: u64| self.ids.get(&hash).map(|id| f64::from(numbers[*id]));
                out[row] = score(hashes, |hash| {
                    number(hash).filter(|number| !number.is_nan())
                });
            }
        }
        out
    }

    /// The numbers of all rows.
    fn table(&self) -> Table {
        let numbers = self.log_odds(None);
        Table::new(
            self.ids
                .iter()
                .map(|(hash, id)| (*hash, numbers[*id]))
                .collect(),
        )
    }

    /// `r` of every n-gram, from all folds but `without`; NaN for those in too few texts.
    fn log_odds(&self, without: Option<usize>) -> Vec<f32> {
        let counts = self.texts.chunks(self.folds).map(|folds| {
            let kept = folds
                .iter()
                .enumerate()
                .filter(|(fold, _)| Some(*fold) != without);
            kept.fold([0; 2], |[a, b]: [u32; 2], (_, [c, d])| [a + c, b + d])
        });
        let counts: Vec<[u32; 2]> = counts.collect();
        let known = |[negatives, positives]: [u32; 2]| negatives + positives >= self.min_texts;
        let mut sums = [0.0; 2];
        for count in counts.iter().filter(|count| known(**count)) {
            (0..2).for_each(|class| sums[class] += 1.0 + f64::from(count[class]));
        }
        let log = |count: u32, sum: f64| ((1.0 + f64::from(count)) / sum).ln();
        let number = |count: [u32; 2]| log(count[1], sums[1]) - log(count[0], sums[0]);
        counts
            .iter()
            .map(|count| {
                if known(*count) {
                    number(*count) as f32
                } else {
                    f32::NAN
                }
            })
            .collect()
    }
}
