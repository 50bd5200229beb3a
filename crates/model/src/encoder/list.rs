//! Lists of categories: one column per element where these are few, else the mean of their log-odds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::category::{MAX_ONE_HOT, frequent};
use super::odds::{FittedOdds, Odds};
use super::{Emitter, Encoder, Fitted, Training};
use crate::scale::Standard;
use crate::sink::Sink;
use crate::table::{Table, hash};

/// Where more than this share of the elements are rare, a column each would lose too much.
const MAX_OTHER_SHARE: f64 = 0.1;

/// A column per frequent element, 1 where the list holds it, and columns for any other element and for the empty list where
/// training had some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MultiHot {
    /// Sorted.
    elements: Vec<String>,
    /// Elements of every list in training, sorted; they have no column, being constant.
    everywhere: Vec<String>,
    other: bool,
    empty: bool,
}

/// The mean over the list of each element's smoothed relative log-odds, standardised, and a flag for the empty list where training had
/// some. An element never seen has 0; an empty list stands at the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeanTarget {
    standard: Standard,
    empty: bool,
    table: Table,
}

pub(super) fn fit(values: &[Vec<String>], training: &Training<'_>) -> Fitted {
    let mut counts = BTreeMap::<String, usize>::new();
    for list in values {
        for element in distinct(list) {
            *counts.entry(element.to_owned()).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Fitted::nothing("every list is empty");
    }
    let (empty, all) = (
        values.iter().any(Vec::is_empty),
        counts.values().sum::<usize>(),
    );
    let everywhere: Vec<String> = counts
        .extract_if(.., |_, count| *count == values.len())
        .map(|(element, _)| element)
        .collect();
    if counts.is_empty() && !empty {
        return Fitted::nothing("constant");
    }
    let (elements, rare) = frequent(counts);
    if elements.len() <= MAX_ONE_HOT && rare as f64 <= MAX_OTHER_SHARE * all as f64 {
        return Fitted::plain(Encoder::MultiHot(MultiHot {
            elements,
            everywhere,
            other: rare > 0,
            empty,
        }));
    }
    fit_target(values, training, empty)
}

fn fit_target(values: &[Vec<String>], training: &Training<'_>, empty: bool) -> Fitted {
    let mut odds = Odds::new(training);
    for (at, list) in values.iter().enumerate() {
        for element in distinct(list) {
            odds.count(hash(element.as_bytes()), training.rows_of(at, values.len()));
        }
    }
    let odds: FittedOdds = odds.finish();
    let mut raw = vec![f64::NAN; training.targets.len()];
    for (at, list) in values.iter().enumerate() {
        for row in training.rows_of(at, values.len()) {
            raw[row] = mean(list, |element| {
                odds.without_fold(element, training.fold_of[row])
            });
        }
    }
    match Standard::fit(raw.iter().copied()) {
        None => Fitted {
            out_of_fold: Some(raw),
            ..Fitted::nothing("no element of more than one fold, so their log-odds are constant")
        },
        Some(standard) => {
            let encoder = Encoder::MeanTarget(MeanTarget {
                standard,
                empty,
                table: odds.table(),
            });
            Fitted {
                out_of_fold: Some(raw),
                ..Fitted::plain(encoder)
            }
        }
    }
}

/// Elements of a list, each once, sorted.
fn distinct(list: &[String]) -> Vec<&str> {
    let mut elements: Vec<&str> = list.iter().map(String::as_str).collect();
    elements.sort_unstable();
    elements.dedup();
    elements
}

/// Mean over the distinct elements; NaN for an empty list.
fn mean(list: &[String], value: impl Fn(u64) -> f64) -> f64 {
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

    pub(super) fn is_sound(&self) -> bool {
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
        for (at, list) in values.iter().enumerate() {
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
            hits.sort_unstable();
            hits.dedup();
            hits.iter().for_each(|&column| to.one(at, column, 1.0));
        }
    }
}

impl MeanTarget {
    pub(super) fn parts(&self) -> Vec<String> {
        std::iter::once("log-odds".into())
            .chain(self.empty.then(|| "empty".into()))
            .collect()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.standard.is_sound()
    }

    pub(super) fn raw(&self, values: &[Vec<String>], out: &mut Vec<f64>) {
        out.clear();
        out.extend(
            values
                .iter()
                .map(|list| mean(list, |element| self.table.get(element).unwrap_or(0.0))),
        );
    }

    pub(super) fn emit<S: Sink>(&self, raw: &[f64], to: &mut Emitter<'_, S>, dense: &mut Vec<f64>) {
        to.standardised(0, self.standard, raw, dense);
        if self.empty {
            to.missing(1, raw);
        }
    }
}
