//! Fits the encoder of vectors such as embeddings.

use counterweight_model::encoder::{Encoder, Vector, for_each_element, missing_vectors};

use super::rows::FittedEncoder;
use super::scale::fit_standard;

pub(super) fn fit(dim: usize, values: &[f32]) -> FittedEncoder {
    let mask = missing_vectors(dim, values);
    let missing = mask.iter().filter(|value| value.is_nan()).count();
    if missing == mask.len() {
        return FittedEncoder::nothing("every value is missing");
    }
    let mut columns = vec![];
    for_each_element(dim, values, &mask, &mut vec![], |_, element| {
        columns.push(fit_standard(element.iter().copied()));
    });
    let constant = columns.iter().filter(|standard| standard.is_none()).count();
    if constant == dim && missing == 0 {
        return FittedEncoder::nothing("constant");
    }
    let notes = match constant {
        0 => vec![],
        count => vec![format!(
            "{count} of {dim} elements constant in training, left out"
        )],
    };
    FittedEncoder {
        notes,
        ..FittedEncoder::plain(Encoder::Vector(Vector {
            standards: columns,
            missing: missing > 0,
        }))
    }
}
