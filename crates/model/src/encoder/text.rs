//! Texts: plain statistics, and scores of n-grams.
//!
//! A score column has a table of numbers by n-gram. The score of a text is the sum of the numbers
//! of its distinct n-grams that are in the table, divided by the square root of how many they are.
//! For another kind of n-gram or another table, add a [`GramColumn`].

mod grams;
mod shape;
mod statistics;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use grams::{GramBuffer, GramKind};
pub use statistics::{STATISTICS, statistics};

use super::emitter::Emitter;
use super::standard::Standard;
use super::table::Table;
use crate::sink::Sink;

/// Standardised columns, and a flag column for missing texts if training had some. A missing text
/// becomes the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Columns of plain statistics.
    pub statistics: Vec<StatisticColumn>,
    /// Columns of n-gram scores.
    pub scores: Vec<GramColumn>,
    /// Whether there is a flag column for missing texts.
    pub missing: bool,
}

/// A plain statistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticColumn {
    /// One of [`STATISTICS`].
    pub name: String,
    /// Mean and deviation of the statistic over the training texts.
    pub standard: Standard,
}

/// A score of n-grams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GramColumn {
    /// Name of the column.
    pub name: String,
    /// Kinds of n-grams that are looked up.
    pub kinds: Vec<GramKind>,
    /// Mean and deviation of the scores of the training texts.
    pub standard: Standard,
    /// The number of every known n-gram of these kinds, by its hash.
    pub table: Table,
}

impl Text {
    pub(super) fn parts(&self) -> Vec<String> {
        let statistics = self.statistics.iter().map(|column| column.name.clone());
        let scores = self.scores.iter().map(|column| column.name.clone());
        statistics
            .chain(scores)
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_valid(&self) -> bool {
        let known = |column: &StatisticColumn| {
            STATISTICS.contains(&column.name.as_str()) && column.standard.is_valid()
        };
        self.statistics.iter().all(known)
            && self.scores.iter().all(|column| column.standard.is_valid())
    }

    /// Numbers per row that [`raw`](Self::raw) writes.
    pub(super) fn raw_width(&self) -> usize {
        1 + self.statistics.len() + self.scores.len()
    }

    /// Writes the values before standardising to `out`, in column-major order; all numbers of a
    /// missing text are NaN. The first column is 0 for every other text. Once `stop` returns true,
    /// the text at hand and those after it count as missing.
    pub(super) fn raw(
        &self,
        texts: &[Cow<'_, str>],
        out: &mut Vec<f64>,
        scratch: &mut GramBuffer,
        stop: &dyn Fn() -> bool,
    ) {
        let rows = texts.len();
        out.clear();
        out.resize(rows * self.raw_width(), f64::NAN);
        let indices: Vec<usize> = self
            .statistics
            .iter()
            .filter_map(|column| STATISTICS.iter().position(|known| *known == column.name))
            .collect();
        let mut kinds = GramKind::ALL.to_vec();
        kinds.retain(|kind| self.scores.iter().any(|column| column.kinds.contains(kind)));
        for (row, text) in texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            // A text takes up to milliseconds, so the cost of this call does not matter.
            if stop() {
                return;
            }
            scratch.read(text, &kinds);
            out[row] = 0.0;
            // The cells of this row; the first column is written already.
            let mut columns = out.iter_mut().skip(row).step_by(rows).skip(1);
            let values = statistics(text, scratch);
            indices
                .iter()
                .zip(&mut columns)
                .for_each(|(&index, cell)| *cell = values[index]);
            for (column, cell) in self.scores.iter().zip(columns) {
                *cell = score(scratch, &column.kinds, |hash| column.table.get(hash));
            }
        }
    }

    /// Standardises the columns that [`raw`](Self::raw) wrote and sends them.
    pub(super) fn emit<S: Sink>(&self, raw: &[f64], to: &mut Emitter<'_, S>, dense: &mut Vec<f64>) {
        let (missing, raw) = raw.split_at(raw.len() / self.raw_width());
        let statistics = self.statistics.iter().map(|column| column.standard);
        let standards = statistics.chain(self.scores.iter().map(|column| column.standard));
        for ((at, standard), values) in standards.enumerate().zip(raw.chunks(missing.len())) {
            to.standardised(at, standard, values, dense);
        }
        if self.missing {
            to.missing(self.raw_width() - 1, missing);
        }
    }
}

/// The score of the text that the buffer has read: the sum of the numbers of its n-grams of these
/// kinds, divided by the square root of how many have a number; 0 if none has one.
pub fn score(text: &GramBuffer, kinds: &[GramKind], number: impl Fn(u64) -> Option<f64>) -> f64 {
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
