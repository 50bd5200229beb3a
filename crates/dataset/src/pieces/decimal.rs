//! DECIMAL columns, which warehouses use for integers and amounts. polars reads them only with a
//! feature that would make every build slower. So this module reads them as the integers or bytes
//! in which they are stored, and converts those to exact text.

use polars::prelude::{Column, DataType, IntoColumn, NamedFrom, PolarsResult, Series, polars_bail};
use polars_parquet::parquet::{
    metadata::SchemaDescriptor,
    schema::types::{
        ParquetType, PhysicalType, PrimitiveConvertedType, PrimitiveLogicalType, PrimitiveType,
    },
};

/// Bytes of the largest decimal that is read, with 38 digits.
const MOST_BYTES: usize = 16;

/// A column of decimals: its name and its number of fractional digits.
pub(super) type Decimal = (String, usize);

/// Removes the logical type from each readable column of decimals; returns these columns.
pub(super) fn strip_logical_types(schema: &mut SchemaDescriptor) -> Vec<Decimal> {
    let mut decimals = Vec::new();
    let mut fields = schema.fields().to_vec();
    for field in &mut fields {
        let ParquetType::PrimitiveType(primitive) = field else {
            continue;
        };
        if let Some(scale) = scale(primitive) {
            decimals.push((primitive.field_info.name.to_string(), scale));
            primitive.logical_type = None;
            primitive.converted_type = None;
        }
    }
    *schema = SchemaDescriptor::new(schema.name().into(), fields);
    decimals
}

fn scale(primitive: &PrimitiveType) -> Option<usize> {
    if matches!(
        primitive.physical_type,
        PhysicalType::FixedLenByteArray(bytes) if bytes > MOST_BYTES
    ) {
        return None;
    }
    match (primitive.logical_type, primitive.converted_type) {
        (Some(PrimitiveLogicalType::Decimal(_, scale)), _)
        | (None, Some(PrimitiveConvertedType::Decimal(_, scale))) => Some(scale),
        _ => None,
    }
}

/// The decimals of a column as text, in their shortest form.
pub(super) fn to_text(column: &Column, scale: usize) -> PolarsResult<Column> {
    let values: Vec<Option<String>> = match column.dtype() {
        DataType::Binary => {
            let number = |bytes: Option<&[u8]>| match bytes {
                Some(bytes) if bytes.len() > MOST_BYTES => {
                    polars_bail!(
                        ComputeError: "a decimal of {} has more than 38 digits", column.name()
                    )
                }
                bytes => Ok(bytes.map(|bytes| shortest(big_endian(bytes), scale))),
            };
            column
                .binary()?
                .iter()
                .map(number)
                .collect::<PolarsResult<_>>()?
        }
        _ => {
            let whole = column.cast(&DataType::Int64)?;
            let whole = whole.i64()?.iter();
            whole
                .map(|number| Some(shortest(number?.into(), scale)))
                .collect()
        }
    };
    Ok(Series::new(column.name().clone(), values).into_column())
}

/// A two's complement number whose first byte contains the sign.
fn big_endian(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) {
        -1
    } else {
        0
    };
    bytes
        .iter()
        .fold(sign, |number, byte| (number << 8) | i128::from(*byte))
}

fn shortest(number: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let sign = if number < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_their_shortest_text() {
        for (number, scale, text) in [
            (0, 0, "0"),
            (12, 0, "12"),
            (-12, 0, "-12"),
            (12_300, 4, "1.23"),
            (-5, 3, "-0.005"),
            (500, 2, "5"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ] {
            assert_eq!(shortest(number, scale), text);
        }
    }

    #[test]
    fn bytes_are_numbers_with_a_sign() {
        assert_eq!(big_endian(&[]), 0);
        assert_eq!(big_endian(&[0xff, 0xfe]), -2);
        assert_eq!(big_endian(&[0x00, 0x80]), 128);
        assert_eq!(big_endian(&i128::MIN.to_be_bytes()), i128::MIN);
    }
}
