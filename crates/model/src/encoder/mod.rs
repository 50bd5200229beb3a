//! One fitted encoder per feature: how its values become numbers.

mod category;
mod list;
mod number;
mod odds;
mod vector;

use serde::{Deserialize, Serialize};

pub(crate) use category::{OneHot, Target};
pub(crate) use list::{MeanTarget, MultiHot};
pub(crate) use number::{Boolean, Numeric};
pub(crate) use vector::Vector;

use crate::expression::Values;
use crate::feature::Kind;
use crate::scale::Standard;
use crate::sink::Sink;
use crate::text::{Text, TextScratch};

/// A fitted encoder. Each turns missing and unknown values into numbers of their own, and none of its columns was
/// constant in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoder {
    /// No column: the feature did not vary in training.
    Nothing,
    /// Numbers.
    Numeric(Numeric),
    /// Booleans.
    Boolean(Boolean),
    /// Few categories.
    OneHot(OneHot),
    /// Many categories.
    Target(Target),
    /// Lists of few categories.
    MultiHot(MultiHot),
    /// Lists of many categories.
    MeanTarget(MeanTarget),
    /// Vectors.
    Vector(Vector),
    /// Texts.
    Text(Text),
}

/// Buffers that encoders share, so that a batch allocates few times.
#[derive(Default)]
pub(crate) struct Scratch {
    raw: Vec<f64>,
    dense: Vec<f64>,
    hits: Vec<usize>,
    text: TextScratch,
}

/// Sends one feature's columns to a sink.
pub(crate) struct Emitter<'s, S> {
    pub(crate) sink: &'s mut S,
    /// Number of the feature's first column in the whole matrix.
    pub(crate) first: usize,
    /// Whether the feature has one value for all rows.
    pub(crate) broadcast: bool,
}

impl<S: Sink> Emitter<'_, S> {
    fn dense(&mut self, column: usize, values: &[f64]) {
        self.sink.dense(self.first + column, values);
    }

    pub(crate) fn standardised(
        &mut self,
        column: usize,
        standard: Standard,
        values: &[f64],
        buffer: &mut Vec<f64>,
    ) {
        standard.apply(values, buffer);
        self.dense(column, buffer);
    }

    fn one(&mut self, at: usize, column: usize, value: f64) {
        if self.broadcast {
            self.dense(column, &[value]);
        } else {
            self.sink.one(at, self.first + column, value);
        }
    }

    /// A 1 in `column` wherever `values` are missing.
    pub(crate) fn missing(&mut self, column: usize, values: &[f64]) {
        for (at, value) in values.iter().enumerate() {
            if value.is_nan() {
                self.one(at, column, 1.0);
            }
        }
    }
}

impl Encoder {
    /// Number of columns.
    pub(crate) fn width(&self) -> usize {
        self.parts().len()
    }

    /// Name of each column within the feature; empty for the one that is the feature itself.
    pub(crate) fn parts(&self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Numeric(encoder) => encoder.parts(),
            Self::Boolean(encoder) => encoder.parts(),
            Self::OneHot(encoder) => encoder.parts(),
            Self::Target(encoder) => encoder.parts(),
            Self::MultiHot(encoder) => encoder.parts(),
            Self::MeanTarget(encoder) => encoder.parts(),
            Self::Vector(encoder) => encoder.parts(),
            Self::Text(encoder) => encoder.parts(),
        }
    }

    /// Why this encoder cannot be used for a feature of `kind`; for what was read from a file.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), String> {
        let (fits, sound) = match self {
            Self::Nothing => (true, true),
            Self::Numeric(encoder) => (matches!(kind, Kind::Numeric), encoder.is_sound()),
            Self::Boolean(encoder) => (matches!(kind, Kind::Boolean), encoder.is_sound()),
            Self::OneHot(encoder) => (matches!(kind, Kind::Categorical), encoder.is_sound()),
            Self::Target(encoder) => (matches!(kind, Kind::Categorical), encoder.is_sound()),
            Self::MultiHot(encoder) => (matches!(kind, Kind::List), encoder.is_sound()),
            Self::MeanTarget(encoder) => (matches!(kind, Kind::List), encoder.is_sound()),
            Self::Vector(encoder) => (
                kind == Kind::Vector { dim: encoder.dim() },
                encoder.is_sound(),
            ),
            Self::Text(encoder) => (matches!(kind, Kind::Text), encoder.is_sound()),
        };
        match (fits, sound) {
            (false, _) => Err(format!("its encoder is not one for {kind} values")),
            (true, false) => Err("its encoder holds numbers or names out of range".into()),
            (true, true) => Ok(()),
        }
    }

    /// Encodes values into columns `0..width`. Values of another kind than the one checked against encode to nothing.
    pub(crate) fn apply<S: Sink>(
        &self,
        values: &Values<'_>,
        to: &mut Emitter<'_, S>,
        scratch: &mut Scratch,
    ) {
        let Scratch {
            raw,
            dense,
            hits,
            text,
        } = scratch;
        match (self, values) {
            (Self::Numeric(encoder), Values::Numbers(values)) => encoder.apply(values, to, dense),
            (Self::Boolean(encoder), Values::Numbers(values)) => encoder.apply(values, to, dense),
            (Self::OneHot(encoder), Values::Categories(values)) => encoder.apply(values, to),
            (Self::MultiHot(encoder), Values::Lists(values)) => encoder.apply(values, to, hits),
            (Self::Vector(encoder), Values::Vectors { values, .. }) => {
                encoder.apply(values, to, raw, dense);
            }
            (Self::Target(encoder), Values::Categories(values)) => {
                encoder.raw(values, raw);
                encoder.emit(raw, to, dense);
            }
            (Self::MeanTarget(encoder), Values::Lists(values)) => {
                encoder.raw(values, raw);
                encoder.emit(raw, to, dense);
            }
            (Self::Text(encoder), Values::Texts(values)) => {
                encoder.raw(values, raw, text);
                encoder.emit(raw, to, dense);
            }
            _ => {}
        }
    }

    /// Encodes values of which the label-using part was computed elsewhere (out of fold).
    pub(crate) fn apply_raw<S: Sink>(
        &self,
        raw: &[f64],
        to: &mut Emitter<'_, S>,
        scratch: &mut Scratch,
    ) {
        match self {
            Self::Target(encoder) => encoder.emit(raw, to, &mut scratch.dense),
            Self::MeanTarget(encoder) => encoder.emit(raw, to, &mut scratch.dense),
            Self::Text(encoder) => encoder.emit(raw, to, &mut scratch.dense),
            _ => {}
        }
    }
}

/// What fitting one feature gives.
pub(crate) struct Fitted {
    pub(crate) encoder: Encoder,
    /// Where the label was used, even if nothing came of it: the training rows' values before standardising, each computed
    /// without its own fold.
    pub(crate) out_of_fold: Option<Vec<f64>>,
    /// What was left out and why; one line each.
    pub(crate) notes: Vec<String>,
}

impl Fitted {
    fn plain(encoder: Encoder) -> Self {
        Self {
            encoder,
            out_of_fold: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn nothing(why: &str) -> Self {
        Self {
            encoder: Encoder::Nothing,
            out_of_fold: None,
            notes: vec![format!("{why} in training, left out")],
        }
    }
}

/// Fits the encoder that suits the values.
pub(crate) fn fit(values: &Values<'_>, kind: Kind, training: &Training<'_>) -> Fitted {
    match values {
        Values::Numbers(values) if kind == Kind::Boolean => number::fit_boolean(values),
        Values::Numbers(values) => number::fit_numeric(values),
        Values::Categories(values) => category::fit(values, training),
        Values::Lists(values) => list::fit(values, training),
        Values::Vectors { dim, values } => vector::fit(*dim, values),
        Values::Texts(values) => crate::text::fit(values, training),
    }
}

/// Targets and folds of the training rows.
pub(crate) struct Training<'t> {
    /// What each row says, in [0, 1]: 1 for a positive label, 0 for a negative one; between them the share of copies of the row that
    /// are positive.
    pub(crate) targets: &'t [f64],
    /// Fold of each row, below `folds`.
    pub(crate) fold_of: &'t [usize],
    pub(crate) folds: usize,
}

impl Training<'_> {
    /// Rows that a value stands for: its own, or all where there is one value only.
    pub(crate) fn rows_of(&self, at: usize, values: usize) -> std::ops::Range<usize> {
        if values == 1 {
            0..self.targets.len()
        } else {
            at..at + 1
        }
    }
}
