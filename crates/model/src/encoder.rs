//! Fitted encoders: each turns the values of one feature into columns of numbers.
//!
//! The fields of every encoder are public, so that the crate that fits encoders can build them.

mod category;
mod emitter;
mod list;
mod number;
mod standard;
mod table;
pub mod text;
mod vector;

use serde::{Deserialize, Serialize};

pub use category::{OneHot, Target};
pub use list::{MeanTarget, MultiHot, distinct, mean_over_distinct};
pub use number::{Boolean, Numeric};
pub use standard::Standard;
pub use table::{Table, hash};
pub use text::Text;
pub use vector::{Vector, for_each_element, missing_vectors};

pub(crate) use emitter::Emitter;

use crate::expression::Values;
use crate::feature::Kind;
use crate::sink::Sink;
use text::GramBuffer;

/// A fitted encoder. Each variant defines how missing and unknown values are encoded. A column that
/// was constant in training is left out.
///
/// The fields are unchecked; [`Encoders::new`](crate::Encoders::new) checks them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoder {
    /// No columns: the feature did not vary in training.
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

/// Buffers that encoders share, so that a batch needs few allocations.
pub(crate) struct Scratch<'s> {
    raw: Vec<f64>,
    dense: Vec<f64>,
    hits: Vec<usize>,
    text: GramBuffer,
    /// Returns true once the caller no longer needs the numbers; an encoder may then return early.
    pub(crate) stop: &'s dyn Fn() -> bool,
}

impl<'s> Scratch<'s> {
    pub(crate) fn new(stop: &'s dyn Fn() -> bool) -> Self {
        Self {
            raw: Vec::new(),
            dense: Vec::new(),
            hits: Vec::new(),
            text: GramBuffer::default(),
            stop,
        }
    }
}

impl Encoder {
    /// Number of columns.
    pub(crate) fn width(&self) -> usize {
        self.parts().len()
    }

    /// The name of each column within the feature; empty for the column with the feature's own
    /// value.
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

    /// Checks that the encoder, which may come from a file, can be used for a feature of `kind`.
    ///
    /// # Errors
    /// The reason why it cannot be used, as the rest of a sentence about the feature.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), String> {
        let (fits, sound) = match self {
            Self::Nothing => (true, true),
            Self::Numeric(encoder) => (matches!(kind, Kind::Numeric), encoder.is_valid()),
            Self::Boolean(encoder) => (matches!(kind, Kind::Boolean), encoder.is_valid()),
            Self::OneHot(encoder) => (matches!(kind, Kind::Categorical), encoder.is_valid()),
            Self::Target(encoder) => (matches!(kind, Kind::Categorical), encoder.is_valid()),
            Self::MultiHot(encoder) => (matches!(kind, Kind::List), encoder.is_valid()),
            Self::MeanTarget(encoder) => (matches!(kind, Kind::List), encoder.is_valid()),
            Self::Vector(encoder) => (
                kind == Kind::Vector { dim: encoder.dim() },
                encoder.is_valid(),
            ),
            Self::Text(encoder) => (matches!(kind, Kind::Text), encoder.is_valid()),
        };
        match (fits, sound) {
            (false, _) => Err(format!("has an encoder that does not accept {kind} values")),
            (true, false) => Err("has an encoder with an invalid number or name".into()),
            (true, true) => Ok(()),
        }
    }

    /// Encodes values into columns `0..width`. Values of a kind that [`check`](Self::check) rejects
    /// are not encoded.
    pub(crate) fn apply<S: Sink>(
        &self,
        values: &Values<'_>,
        to: &mut Emitter<'_, S>,
        scratch: &mut Scratch<'_>,
    ) {
        let Scratch {
            raw,
            dense,
            hits,
            text,
            stop,
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
                encoder.raw(values, raw, text, *stop);
                encoder.emit(raw, to, dense);
            }
            _ => {}
        }
    }

    /// Numbers per row that [`apply_raw`](Self::apply_raw) expects; `None` for an encoder that does
    /// not use the label.
    pub(crate) fn raw_width(&self) -> Option<usize> {
        match self {
            Self::Target(_) | Self::MeanTarget(_) => Some(1),
            Self::Text(encoder) => Some(encoder.raw_width()),
            _ => None,
        }
    }

    /// Encodes values whose label-dependent numbers, `raw`, were computed out of fold by the
    /// caller.
    pub(crate) fn apply_raw<S: Sink>(
        &self,
        raw: &[f64],
        to: &mut Emitter<'_, S>,
        scratch: &mut Scratch<'_>,
    ) {
        match self {
            Self::Target(encoder) => encoder.emit(raw, to, &mut scratch.dense),
            Self::MeanTarget(encoder) => encoder.emit(raw, to, &mut scratch.dense),
            Self::Text(encoder) => encoder.emit(raw, to, &mut scratch.dense),
            _ => {}
        }
    }
}
