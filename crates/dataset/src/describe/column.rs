//! The summary of one input column.

use std::collections::HashMap;

use counterweight_model::{Column, Input};

use super::description::{ColumnDescription, Range};
use crate::Excerpt;

/// Number of frequent values to show.
const EXAMPLES: usize = 3;

pub(super) fn describe(
    input: &Input,
    column: &Option<Column<'static>>,
    rows: usize,
) -> ColumnDescription {
    let mut description = ColumnDescription {
        name: input.name.clone(),
        kind: input.kind.to_string(),
        side: input.side,
        absent: column.is_none(),
        missing: rows,
        distinct: None,
        range: None,
        examples: Vec::new(),
    };
    match column {
        None => {}
        Some(Column::Numeric(values)) => {
            let present: Vec<f64> = values
                .iter()
                .copied()
                .filter(|value| !value.is_nan())
                .collect();
            description.missing = rows - present.len();
            description.range = range(&present);
            let mut bits: Vec<u64> = present
                .iter()
                .map(|value| (value + 0.0).to_bits())
                .collect();
            bits.sort_unstable();
            bits.dedup();
            description.distinct = Some(bits.len());
        }
        Some(Column::Text(values)) => {
            description.missing = values.iter().filter(|value| value.is_empty()).count();
            frequent(
                values
                    .iter()
                    .map(AsRef::as_ref)
                    .filter(|value| !value.is_empty()),
                &mut description,
            );
        }
        Some(Column::List(values)) => {
            description.missing = values.iter().filter(|list| list.is_empty()).count();
            frequent(
                values.iter().flatten().map(String::as_str),
                &mut description,
            );
        }
        Some(Column::Vector { dim, values }) => {
            description.missing = values
                .chunks(*dim)
                .filter(|vector| vector.iter().any(|value| value.is_nan()))
                .count();
        }
    }
    description
}

fn range(present: &[f64]) -> Option<Range> {
    let min = present.iter().copied().reduce(f64::min)?;
    let max = present.iter().copied().reduce(f64::max)?;
    // Values are divided before they are summed, so that the sum of large numbers cannot overflow.
    let count = present.len() as f64;
    let mean = present.iter().map(|value| value / count).sum();
    Some(Range { min, mean, max })
}

/// Counts the distinct values and stores the most frequent, with ties in alphabetical order.
fn frequent<'a>(values: impl Iterator<Item = &'a str>, description: &mut ColumnDescription) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    description.distinct = Some(counts.len());
    let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
    order.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    description.examples = order
        .iter()
        .take(EXAMPLES)
        .map(|(value, _)| Excerpt::value(value).to_string())
        .collect();
}
