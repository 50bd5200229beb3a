//! Encodes columns and attributes as tensors of a Rank request.

use anyhow::bail;
use counterweight_model::{Column, Input, Side};
use counterweight_proto::counterweight::v1::{
    Attribute, RankRequest, attribute_value::Value as AttributeKind,
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, encode_strings, tensor};
use serde_json::Value;

/// Adds an attribute to the request, as one element of the datatype that segments compare.
pub(super) fn add_attribute(request: &mut RankRequest, attribute: &Attribute) {
    let value = attribute.value.as_ref().and_then(|one| one.value.as_ref());
    let (datatype, raw) = match value {
        Some(AttributeKind::Number(number)) => (Datatype::Fp64, encode_f64(&[*number])),
        Some(AttributeKind::Text(text)) => (Datatype::Bytes, encode_strings([text.as_bytes()])),
        None => return,
    };
    request.inputs.push(tensor(&attribute.name, datatype, &[1]));
    request.raw_input_contents.push(raw);
}

/// Adds a column to the request.
///
/// # Errors
/// A context feature has different values in the rows; it is sent once, for the whole request.
pub(super) fn add_column(
    request: &mut RankRequest,
    input: &Input,
    column: &Column<'_>,
) -> anyhow::Result<()> {
    let context = input.side == Side::Context;
    if context && !is_constant(column) {
        bail!(
            "{:?} is a context feature but its values differ between rows; rank the candidates of one request at a time",
            input.name
        );
    }
    let rows = if context { 1 } else { column.rows() };
    let (datatype, shape, raw) = match column {
        Column::Numeric(values) => (Datatype::Fp64, vec![rows], encode_f64(&values[..rows])),
        Column::Text(values) => {
            let texts = values[..rows].iter().map(|value| value.as_bytes());
            (Datatype::Bytes, vec![rows], encode_strings(texts))
        }
        Column::List(values) => {
            let texts = values[..rows]
                .iter()
                .map(|list| Value::from(list.clone()).to_string());
            (Datatype::Bytes, vec![rows], encode_strings(texts))
        }
        Column::Vector { dim, values } => (
            Datatype::Fp32,
            vec![rows, *dim],
            encode_f32(&values[..rows * dim]),
        ),
    };
    request.inputs.push(tensor(&input.name, datatype, &shape));
    request.raw_input_contents.push(raw);
    Ok(())
}

/// True if all rows have the same value; missing values are equal to each other.
fn is_constant(column: &Column<'_>) -> bool {
    match column {
        Column::Numeric(values) => values
            .iter()
            .all(|value| value.to_bits() == values[0].to_bits()),
        Column::Text(values) => values.iter().all(|value| value == &values[0]),
        Column::List(values) => values.iter().all(|value| value == &values[0]),
        Column::Vector { dim, values } => {
            let bits = |row: &[f32]| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let first = bits(&values[..*dim]);
            values.chunks(*dim).all(|row| bits(row) == first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_context_vector_is_one_value() {
        let missing = |values: Vec<f32>| Column::Vector { dim: 2, values };
        assert!(is_constant(&missing(vec![f32::NAN; 4])));
        assert!(!is_constant(&missing(vec![f32::NAN, f32::NAN, 1.0, 2.0])));
    }
}
