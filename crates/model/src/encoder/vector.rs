//! Vectors such as embeddings.

use serde::{Deserialize, Serialize};

use super::{Emitter, Encoder, Fitted};
use crate::scale::Standard;
use crate::sink::Sink;

/// Each element standardised, and a flag for missing vectors where training had some. A missing vector stands at the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    /// One per element; none where the element was constant in training.
    standards: Vec<Option<Standard>>,
    missing: bool,
}

pub(super) fn fit(dim: usize, values: &[f32]) -> Fitted {
    let mask = mask(dim, values);
    let missing = mask.iter().filter(|value| value.is_nan()).count();
    if missing == mask.len() {
        return Fitted::nothing("every value is missing");
    }
    let mut columns = vec![];
    for_each_element(dim, values, &mask, &mut vec![], |_, element| {
        columns.push(Standard::fit(element.iter().copied()));
    });
    let constant = columns.iter().filter(|standard| standard.is_none()).count();
    if constant == dim && missing == 0 {
        return Fitted::nothing("constant");
    }
    let notes = match constant {
        0 => vec![],
        count => vec![format!(
            "{count} of {dim} elements constant in training, left out"
        )],
    };
    Fitted {
        notes,
        ..Fitted::plain(Encoder::Vector(Vector {
            standards: columns,
            missing: missing > 0,
        }))
    }
}

impl Vector {
    pub(super) fn dim(&self) -> usize {
        self.standards.len()
    }

    pub(super) fn parts(&self) -> Vec<String> {
        let elements = self
            .standards
            .iter()
            .enumerate()
            .filter(|(_, standard)| standard.is_some());
        elements
            .map(|(at, _)| at.to_string())
            .chain(self.missing.then(|| "missing".into()))
            .collect()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.standards.iter().flatten().all(Standard::is_sound)
    }

    pub(super) fn apply<S: Sink>(
        &self,
        values: &[f32],
        to: &mut Emitter<'_, S>,
        raw: &mut Vec<f64>,
        dense: &mut Vec<f64>,
    ) {
        let (dim, mask) = (self.dim(), mask(self.dim(), values));
        let mut column = 0;
        for_each_element(dim, values, &mask, raw, |at, element| {
            if let Some(standard) = self.standards[at] {
                to.standardised(column, standard, element, dense);
                column += 1;
            }
        });
        if self.missing {
            to.missing(column, &mask);
        }
    }
}

/// Per vector, 0, or NaN where any element is missing.
fn mask(dim: usize, values: &[f32]) -> Vec<f64> {
    let missing = |row: &[f32]| row.iter().any(|value| value.is_nan());
    values
        .chunks(dim)
        .map(|row| if missing(row) { f64::NAN } else { 0.0 })
        .collect()
}

/// Calls `visit` with every element's number and its values over all vectors, NaN where the vector is missing.
///
/// Some elements are turned from rows to columns at a time: one at a time would fetch every cache line of a wide
/// matrix once per element.
fn for_each_element(
    dim: usize,
    values: &[f32],
    mask: &[f64],
    tile: &mut Vec<f64>,
    mut visit: impl FnMut(usize, &[f64]),
) {
    const TILE: usize = 16;
    let rows = mask.len();
    for first in (0..dim).step_by(TILE) {
        let width = TILE.min(dim - first);
        tile.clear();
        tile.resize(width * rows, 0.0);
        for (at, (row, mask)) in values.chunks_exact(dim).zip(mask).enumerate() {
            let cells = tile.iter_mut().skip(at).step_by(rows);
            cells
                .zip(&row[first..])
                .for_each(|(cell, value)| *cell = f64::from(*value) + mask);
        }
        for (at, element) in tile.chunks_exact(rows).enumerate() {
            visit(first + at, element);
        }
    }
}
