//! Texts: plain statistics, and scores that sum what each n-gram says of the label.
//!
//! Every score column is the sum, over the distinct n-grams of the text that its table knows, of their numbers,
//! divided by the square root of how many there are. A further kind of n-gram, or of number, is one more entry of [`FAMILIES`].

mod fit;
mod grams;
mod statistics;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub(crate) use fit::fit;
pub(crate) use grams::GramBuffer as TextScratch;
use grams::GramKind;
use statistics::{STATISTICS, Statistics};

use crate::encoder::Emitter;
use crate::scale::Standard;
use crate::sink::Sink;
use crate::table::Table;

/// A kind of n-grams, and in how many texts one must occur to be counted.
struct Family {
    kind: GramKind,
    min_texts: u32,
}

const FAMILIES: [Family; 2] = [
    Family {
        kind: GramKind::Words,
        min_texts: 2,
    },
    Family {
        kind: GramKind::Characters,
        min_texts: 5,
    },
];

/// Standardised columns, and a flag for missing texts where training had some. A missing text stands at the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    statistics: Vec<StatisticColumn>,
    grams: Vec<GramColumn>,
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
    kind: GramKind,
    standard: Standard,
    table: Table,
}

impl Text {
    pub(crate) fn parts(&self) -> Vec<String> {
        let statistics = self.statistics.iter().map(|column| column.name.clone());
        let grams = self.grams.iter().map(|column| column.kind.name().into());
        statistics
            .chain(grams)
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(crate) fn is_sound(&self) -> bool {
        let known = |column: &StatisticColumn| {
            STATISTICS.contains(&column.name.as_str()) && column.standard.is_sound()
        };
        self.statistics.iter().all(known)
            && self.grams.iter().all(|column| column.standard.is_sound())
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
            rows * (1 + self.statistics.len() + self.grams.len()),
            f64::NAN,
        );
        let indices: Vec<usize> = self
            .statistics
            .iter()
            .filter_map(|column| statistics::index(&column.name))
            .collect();
        for (row, text) in texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            scratch.read(text);
            out[row] = 0.0;
            let mut columns = out.iter_mut().skip(row).step_by(rows).skip(1);
            let values = Statistics::of(text, scratch).0;
            indices
                .iter()
                .zip(&mut columns)
                .for_each(|(&index, cell)| *cell = values[index]);
            for (column, cell) in self.grams.iter().zip(columns) {
                *cell = score(scratch.distinct(column.kind), |hash| column.table.get(hash));
            }
        }
    }

    /// Sends the columns whose values before standardising are `raw`.
    pub(crate) fn emit<S: Sink>(&self, raw: &[f64], to: &mut Emitter<'_, S>, dense: &mut Vec<f64>) {
        let width = self.statistics.len() + self.grams.len();
        let (missing, raw) = raw.split_at(raw.len() / (1 + width));
        let statistics = self.statistics.iter().map(|column| column.standard);
        let standards = statistics.chain(self.grams.iter().map(|column| column.standard));
        for ((at, standard), values) in standards.enumerate().zip(raw.chunks(missing.len())) {
            to.standardised(at, standard, values, dense);
        }
        if self.missing {
            to.missing(width, missing);
        }
    }
}

/// What the known n-grams of a text say together; 0 where none is known.
fn score(hashes: &[u64], number: impl Fn(u64) -> Option<f64>) -> f64 {
    let (count, sum) = hashes
        .iter()
        .filter_map(|hash| number(*hash))
        .fold((0.0_f64, 0.0), |(count, sum), x| (count + 1.0, sum + x));
    if count == 0.0 {
        0.0
    } else {
        sum / count.sqrt()
    }
}
