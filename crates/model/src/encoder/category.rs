//! Categories: one column each where they are few, else one column of smoothed log-odds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Emitter, Encoder, Fitted, Training};
use crate::expression::{Categories, display_category};
use crate::scale::Standard;
use crate::sink::Sink;
use crate::table::{Table, hash};

/// At most this many categories get a column each.
pub(super) const MAX_ONE_HOT: usize = 32;
/// Categories seen less often than this share one column, `other`, with those never seen.
pub(super) const MIN_COUNT: usize = 5;
/// Where more than this share of the values are of rare categories, a column each would lose too much.
const MAX_OTHER_SHARE: f64 = 0.1;

/// A column per frequent category, and columns for other and for missing ones where training had some. A category never seen is
/// `other` where there is such a column, else it is 0 everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneHot {
    /// Sorted.
    categories: Vec<String>,
    other: bool,
    missing: bool,
}

/// Smoothed log-odds of the category relative to all rows, standardised, and a flag for missing values where training had
/// some. A category never seen has relative log-odds 0; a missing one stands at the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    standard: Standard,
    missing: bool,
    table: Table,
}

pub(super) fn fit(values: &Categories<'_>, training: &Training<'_>) -> Fitted {
    let (mut counts, mut missing) = (BTreeMap::<String, usize>::new(), 0);
    values.for_each(|_, category| match category {
        None => missing += 1,
        Some(category) => match counts.get_mut(category) {
            Some(count) => *count += 1,
            None => {
                counts.insert(category.to_owned(), 1);
            }
        },
    });
    let present = values.len() - missing;
    if present == 0 {
        return Fitted::nothing("every value is missing");
    }
    if counts.len() == 1 && missing == 0 {
        return Fitted::nothing("constant");
    }
    let (categories, rare) = frequent(counts);
    if categories.len() <= MAX_ONE_HOT && rare as f64 <= MAX_OTHER_SHARE * present as f64 {
        return Fitted::plain(Encoder::OneHot(OneHot {
            categories,
            other: rare > 0,
            missing: missing > 0,
        }));
    }
    fit_target(values, training, missing > 0)
}

/// The frequent categories, sorted, and the number of values of all others.
pub(super) fn frequent(counts: BTreeMap<String, usize>) -> (Vec<String>, usize) {
    let rare = counts.values().filter(|count| **count < MIN_COUNT).sum();
    (
        counts
            .into_iter()
            .filter(|(_, count)| *count >= MIN_COUNT)
            .map(|(category, _)| category)
            .collect(),
        rare,
    )
}

fn fit_target(values: &Categories<'_>, training: &Training<'_>, missing: bool) -> Fitted {
    let mut odds = super::odds::Odds::new(training);
    values.for_each(|at, category| {
        if let Some(category) = category {
            odds.count(
                hash(category.as_bytes()),
                training.rows_of(at, values.len()),
            );
        }
    });
    let odds = odds.finish();
    let mut raw = vec![f64::NAN; training.targets.len()];
    values.for_each(|at, category| {
        for row in training.rows_of(at, values.len()) {
            raw[row] = category.map_or(f64::NAN, |category| {
                odds.without_fold(hash(category.as_bytes()), training.fold_of[row])
            });
        }
    });
    match Standard::fit(raw.iter().copied()) {
        None => Fitted {
            out_of_fold: Some(raw),
            ..Fitted::nothing("no category of more than one fold, so its log-odds are constant")
        },
        Some(standard) => Fitted {
            out_of_fold: Some(raw),
            ..Fitted::plain(Encoder::Target(Target {
                standard,
                missing,
                table: odds.table(),
            }))
        },
    }
}

impl OneHot {
    pub(super) fn parts(&self) -> Vec<String> {
        let categories = self
            .categories
            .iter()
            .map(|category| format!("={}", display_category(category)));
        categories
            .chain(self.other.then(|| "other".into()))
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.categories.is_sorted_by(|a, b| a < b)
    }

    pub(super) fn apply<S: Sink>(&self, values: &Categories<'_>, to: &mut Emitter<'_, S>) {
        let other = self.categories.len();
        values.for_each(|at, category| {
            let column = match category {
                Some(category) => match self
                    .categories
                    .binary_search_by(|known| known.as_str().cmp(category))
                {
                    Ok(column) => Some(column),
                    Err(_) => self.other.then_some(other),
                },
                None => self.missing.then_some(other + usize::from(self.other)),
            };
            if let Some(column) = column {
                to.one(at, column, 1.0);
            }
        });
    }
}

impl Target {
    pub(super) fn parts(&self) -> Vec<String> {
        std::iter::once("log-odds".into())
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.standard.is_sound()
    }

    pub(super) fn raw(&self, values: &Categories<'_>, out: &mut Vec<f64>) {
        out.clear();
        values.for_each(|_, category| {
            out.push(category.map_or(f64::NAN, |category| {
                self.table.get(hash(category.as_bytes())).unwrap_or(0.0)
            }));
        });
    }

    pub(super) fn emit<S: Sink>(&self, raw: &[f64], to: &mut Emitter<'_, S>, dense: &mut Vec<f64>) {
        to.standardised(0, self.standard, raw, dense);
        if self.missing {
            to.missing(1, raw);
        }
    }
}
