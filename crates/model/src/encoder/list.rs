//! Lists of categories: one column per element if the feature has few different elements, else the
//! mean of the elements' log-odds.

use serde::{Deserialize, Serialize};

use super::emitter::Emitter;
use super::standard::Standard;
use super::table::{Table, hash};
use crate::sink::Sink;

/// A column per frequent element, which is 1 if the list contains it, and columns for other
/// elements and for the empty list if training had some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiHot {
    /// The elements with a column, sorted and distinct.
    pub elements: Vec<String>,
    /// Elements that every training list contains, sorted and distinct. They have no column,
    /// because it would be constant.
    pub everywhere: Vec<String>,
    /// Whether rare and unknown elements have a column.
    pub other: bool,
    /// Whether the empty list has a column.
    pub empty: bool,
}

/// A standardised column with the mean of the elements' smoothed relative log-odds, and a flag
/// column for the empty list if training had some. An unknown element has log-odds 0; an empty list
/// becomes the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanTarget {
    /// Mean and deviation of the column over the training rows.
    pub standard: Standard,
    /// Whether there is a flag column for empty lists.
    pub empty: bool,
    /// Relative log-odds by [`hash`] of the element.
    pub table: Table,
}

/// The distinct elements of a list, sorted.
#[must_use]
pub fn distinct(list: &[String]) -> Vec<&str> {
    let mut elements: Vec<&str> = list.iter().map(String::as_str).collect();
    elements.sort_unstable();
    elements.dedup();
    elements
}

/// The mean of `value` over the hashes of the distinct elements of a list; NaN for an empty list.
pub fn mean_over_distinct(list: &[String], value: impl Fn(u64) -> f64) -> f64 {
    let elements = distinct(list);
    elements
        .iter()
        .map(|element| value(hash(element.as_bytes())))
        .sum::<f64>()
        / elements.len() as f64
}

impl MultiHot {
    pub(super) fn parts(&self) -> Vec<String> {
        let elements = self.elements.iter().map(|element| format!("∋{element}"));
        elements
            .chain(self.other.then(|| "other".into()))
            .chain(self.empty.then(|| "empty".into()))
            .collect()
    }

    pub(super) fn is_valid(&self) -> bool {
        [&self.elements, &self.everywhere]
            .iter()
            .all(|names| names.is_sorted_by(|a, b| a < b))
    }

    pub(super) fn apply<S: Sink>(
        &self,
        values: &[Vec<String>],
        to: &mut Emitter<'_, S>,
        hits: &mut Vec<usize>,
    ) {
        let other = self.elements.len();
        for (row, list) in values.iter().enumerate() {
            hits.clear();
            hits.extend(list.iter().filter_map(
                |element| {
                    match self.elements.binary_search(element) {
                        Ok(column) => Some(column),
                        Err(_) => (self.other && self.everywhere.binary_search(element).is_err())
                            .then_some(other),
                    }
                },
            ));
            if list.is_empty() && self.empty {
                hits.push(other + usize::from(self.other));
            }
            // A sink needs the columns of a row in increasing order, and each column once.
            hits.sort_unstable();
            hits.dedup();
            hits.iter().for_each(|&column| to.one(row, column, 1.0));
        }
    }
}

impl MeanTarget {
    pub(super) fn parts(&self) -> Vec<String> {
        std::iter::once("log-odds".into())
            .chain(self.empty.then(|| "empty".into()))
            .collect()
    }

    pub(super) fn is_valid(&self) -> bool {
        self.standard.is_valid()
    }

    pub(super) fn raw(&self, values: &[Vec<String>], out: &mut Vec<f64>) {
        out.clear();
        out.extend(values.iter().map(|list| {
            mean_over_distinct(list, |element| self.table.get(element).unwrap_or(0.0))
        }));
    }

    pub(super) fn emit<S: Sink>(&self, raw: &[f64], to: &mut Emitter<'_, S>, dense: &mut Vec<f64>) {
        to.standardised(0, self.standard, raw, dense);
        if self.empty {
            to.missing(1, raw);
        }
    }
}
