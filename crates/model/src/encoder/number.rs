//! Numbers and booleans.

use serde::{Deserialize, Serialize};

use super::{Emitter, Encoder, Fitted};
use crate::scale::Standard;
use crate::sink::Sink;

/// A standardised column, and a flag for missing values where training had some. A missing value stands at the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Numeric {
    /// None where only the flag varies.
    standard: Option<Standard>,
    missing: bool,
}

pub(super) fn fit_numeric(values: &[f64]) -> Fitted {
    let present = values.iter().filter(|value| !value.is_nan()).count();
    if present == 0 {
        return Fitted::nothing("every value is missing");
    }
    let (standard, missing) = (
        Standard::fit(values.iter().copied()),
        present < values.len(),
    );
    if standard.is_none() && !missing {
        return Fitted::nothing("constant");
    }
    let notes = match standard {
        Some(_) => vec![],
        None => {
            vec!["constant in training apart from missing values, of which the flag is kept".into()]
        }
    };
    Fitted {
        notes,
        ..Fitted::plain(Encoder::Numeric(Numeric { standard, missing }))
    }
}

impl Numeric {
    pub(super) fn parts(&self) -> Vec<String> {
        let value = self.standard.map(|_| String::new());
        value
            .into_iter()
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.standard.is_none_or(|standard| standard.is_sound())
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

/// 0 or 1 in one column, and a flag for missing values where training had some. A missing value stands at the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Boolean {
    /// Share of true values in training; none where only the flag varies.
    rate: Option<f64>,
    missing: bool,
}

pub(super) fn fit_boolean(values: &[f64]) -> Fitted {
    let present = values.iter().filter(|value| !value.is_nan()).count();
    let positive = values.iter().filter(|value| **value == 1.0).count();
    if present == 0 {
        return Fitted::nothing("every value is missing");
    }
    let missing = present < values.len();
    let constant = positive == 0 || positive == present;
    if constant && !missing {
        return Fitted::nothing("constant");
    }
    let rate = (!constant).then(|| positive as f64 / present as f64);
    Fitted::plain(Encoder::Boolean(Boolean { rate, missing }))
}

impl Boolean {
    pub(super) fn parts(&self) -> Vec<String> {
        self.rate
            .map(|_| String::new())
            .into_iter()
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_sound(&self) -> bool {
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
