//! Fits the encoders of numbers and booleans.

use counterweight_model::encoder::{Boolean, Encoder, Numeric};

use super::rows::FittedEncoder;
use super::scale::fit_standard;

pub(super) fn fit_numeric(values: &[f64]) -> FittedEncoder {
    let present = values.iter().filter(|value| !value.is_nan()).count();
    if present == 0 {
        return FittedEncoder::nothing("every value is missing");
    }
    let (standard, missing) = (fit_standard(values.iter().copied()), present < values.len());
    if standard.is_none() && !missing {
        return FittedEncoder::nothing("constant");
    }
    let notes = match standard {
        Some(_) => vec![],
        None => {
            vec!["constant in training apart from missing values, of which the flag is kept".into()]
        }
    };
    FittedEncoder {
        notes,
        ..FittedEncoder::plain(Encoder::Numeric(Numeric { standard, missing }))
    }
}

pub(super) fn fit_boolean(values: &[f64]) -> FittedEncoder {
    let present = values.iter().filter(|value| !value.is_nan()).count();
    let positive = values.iter().filter(|value| **value == 1.0).count();
    if present == 0 {
        return FittedEncoder::nothing("every value is missing");
    }
    let missing = present < values.len();
    let constant = positive == 0 || positive == present;
    if constant && !missing {
        return FittedEncoder::nothing("constant");
    }
    let rate = (!constant).then(|| positive as f64 / present as f64);
    FittedEncoder::plain(Encoder::Boolean(Boolean { rate, missing }))
}
