//! Categories: one column per category if the feature has few, else one column of smoothed
//! log-odds.

use serde::{Deserialize, Serialize};

use super::emitter::Emitter;
use super::standard::Standard;
use super::table::{Table, hash};
use crate::expression::{Categories, display_category};
use crate::sink::Sink;

/// A column per frequent category, and columns for other and for missing categories if training had
/// some. An unknown category counts as `other`. Without a column for it, all columns are 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHot {
    /// The categories with a column, sorted and distinct.
    pub categories: Vec<String>,
    /// Whether rare and unknown categories have a column.
    pub other: bool,
    /// Whether missing values have a column.
    pub missing: bool,
}

/// A standardised column with the smoothed log-odds of the category relative to all rows, and a
/// flag column for missing values if training had some. An unknown category has relative log-odds
/// 0; a missing one becomes the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Mean and deviation of the column over the training rows.
    pub standard: Standard,
    /// Whether there is a flag column for missing values.
    pub missing: bool,
    /// Relative log-odds by [`hash`] of the category.
    pub table: Table,
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

    pub(super) fn is_valid(&self) -> bool {
        self.categories.is_sorted_by(|a, b| a < b)
    }

    pub(super) fn apply<S: Sink>(&self, values: &Categories<'_>, to: &mut Emitter<'_, S>) {
        let other = self.categories.len();
        values.for_each(|row, category| {
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
                to.one(row, column, 1.0);
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

    pub(super) fn is_valid(&self) -> bool {
        self.standard.is_valid()
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
