//! Numbers and booleans.

use serde::{Deserialize, Serialize};

use super::emitter::Emitter;
use super::standard::Standard;
use crate::sink::Sink;

/// A standardised column, and a flag column for missing values if training had some. A missing
/// value becomes the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numeric {
    /// Mean and standard deviation; `None` if the value did not vary in training.
    pub standard: Option<Standard>,
    /// Whether there is a flag column for missing values.
    pub missing: bool,
}

impl Numeric {
    pub(super) fn parts(&self) -> Vec<String> {
        let value = self.standard.map(|_| String::new());
        value
            .into_iter()
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_valid(&self) -> bool {
        self.standard.is_none_or(|standard| standard.is_valid())
    }

    pub(super) fn apply<S: Sink>(
        &self,
        values: &[f64],
        to: &mut Emitter<'_, S>,
        dense: &mut Vec<f64>,
    ) {
        if let Some(standard) = self.standard {
            to.standardised(0, standard, values, dense);
        }
        if self.missing {
            to.missing(usize::from(self.standard.is_some()), values);
        }
    }
}

/// A column of 0 and 1, and a flag column for missing values if training had some. A missing value
/// becomes the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boolean {
    /// The share of true values in training; `None` if the value did not vary in training.
    pub rate: Option<f64>,
    /// Whether there is a flag column for missing values.
    pub missing: bool,
}

impl Boolean {
    pub(super) fn parts(&self) -> Vec<String> {
        self.rate
            .map(|_| String::new())
            .into_iter()
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_valid(&self) -> bool {
        self.rate.is_none_or(|rate| (0.0..=1.0).contains(&rate))
    }

    pub(super) fn apply<S: Sink>(
        &self,
        values: &[f64],
        to: &mut Emitter<'_, S>,
        dense: &mut Vec<f64>,
    ) {
        if let Some(rate) = self.rate {
            dense.clear();
            dense.extend(
                values
                    .iter()
                    .map(|value| if value.is_nan() { rate } else { *value }),
            );
            to.dense(0, dense);
        }
        if self.missing {
            to.missing(usize::from(self.rate.is_some()), values);
        }
    }
}
