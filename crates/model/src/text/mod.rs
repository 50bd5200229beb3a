//! Texts: plain statistics, and scores that sum what each n-gram says of the label.
//!
//! Every score column is the sum, over the distinct n-grams of the text that its table knows, of their numbers,
//! divided by the square root of how many there are. A further kind of n-gram, or of number, is one more [`GramColumn`].

mod fit;
mod grams;
mod odds;
mod ridge;
mod shape;
mod statistics;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub(crate) use fit::fit;
pub(crate) use grams::GramBuffer as TextScratch;
use grams::{GramBuffer, GramKind};
use statistics::{STATISTICS, Statistics};

use crate::encoder::Emitter;
use crate::scale::Standard;
use crate::sink::Sink;
use crate::table::Table;

/// Standardised columns, and a flag for missing texts where training had some. A missing text stands at the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    statistics: Vec<StatisticColumn>,
    scores: Vec<GramColumn>,
    missing: bool,
}

/// A plain statistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatisticColumn {
    /// One of [`STATISTICS`].
    name: String,
    standard: Standard,
}

/// A score of n-grams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GramColumn {
    name: String,
    kinds: Vec<GramKind>,
    standard: Standard,
    /// Number of every known n-gram of these kinds.
    table: Table,
}

impl Text {
    pub(crate) fn parts(&self) -> Vec<String> {
        let statistics = self.statistics.iter().map(|column| column.name.clone());
        let scores = self.scores.iter().map(|column| column.name.clone());
        statistics
            .chain(scores)
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(crate) fn is_sound(&self) -> bool {
        let known = |column: &StatisticColumn| {
            STATISTICS.contains(&column.name.as_str()) && column.standard.is_sound()
        };
        self.statistics.iter().all(known)
            && self.scores.iter().all(|column| column.standard.is_sound())
    }

    /// Values before standardising, by column; NaN for missing texts. A first column tells missing texts (NaN) from others (0).
    pub(crate) fn raw(
        &self,
        texts: &[Cow<'_, str>],
        out: &mut Vec<f64>,
        scratch: &mut TextScratch,
    ) {
        let rows = texts.len();
        out.clear();
        out.resize(
            rows * (1 + self.statistics.len() + self.scores.len()),
            f64::NAN,
        );
        let indices: Vec<usize> = self
            .statistics
            .iter()
            .filter_map(|column| statistics::index(&column.name))
            .collect();
        let mut kinds = GramKind::ALL.to_vec();
        kinds.retain(|kind| self.scores.iter().any(|column| column.kinds.contains(kind)));
        for (row, text) in texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            scratch.read(text, &kinds);
            out[row] = 0.0;
            let mut columns = out.iter_mut().skip(row).step_by(rows).skip(1);
            let values = Statistics::of(text, scratch).0;
            indices
                .iter()
                .zip(&mut columns)
                .for_each(|(&index, cell)| *cell = values[index]);
            for (column, cell) in self.scores.iter().zip(columns) {
                *cell = score(scratch, &column.kinds, |hash| column.table.get(hash));
            }
        }
    }

    /// Sends the columns whose values before standardising are `raw`.
    pub(crate) fn emit<S: Sink>(&self, raw: &[f64], to: &mut Emitter<'_, S>, dense: &mut Vec<f64>) {
        let width = self.statistics.len() + self.scores.len();
        let (missing, raw) = raw.split_at(raw.len() / (1 + width));
        let statistics = self.statistics.iter().map(|column| column.standard);
        let standards = statistics.chain(self.scores.iter().map(|column| column.standard));
        for ((at, standard), values) in standards.enumerate().zip(raw.chunks(missing.len())) {
            to.standardised(at, standard, values, dense);
        }
        if self.missing {
            to.missing(width, missing);
        }
    }
}

/// What the known n-grams of the text at hand say together; 0 where none is known.
fn score(text: &GramBuffer, kinds: &[GramKind], number: impl Fn(u64) -> Option<f64>) -> f64 {
    let hashes = kinds.iter().flat_map(|kind| text.grams(*kind));
    let (mut count, mut sum) = (0.0_f64, 0.0);
    for number in hashes.filter_map(|hash| number(*hash)) {
        count += 1.0;
        sum += number;
    }
    if count == 0.0 {
        0.0
    } else {
        sum / count.sqrt()
    }
}
