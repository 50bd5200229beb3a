//! Vectors such as embeddings.

use serde::{Deserialize, Serialize};

use super::emitter::Emitter;
use super::standard::Standard;
use crate::sink::Sink;

/// A standardised column per element, and a flag column for missing vectors if training had some. A
/// missing vector becomes the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// Mean and deviation of each element; `None` for an element that was constant in training.
    pub standards: Vec<Option<Standard>>,
    /// Whether there is a flag column for missing vectors.
    pub missing: bool,
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

    pub(super) fn is_valid(&self) -> bool {
        self.standards.iter().flatten().all(Standard::is_valid)
    }

    pub(super) fn apply<S: Sink>(
        &self,
        values: &[f32],
        to: &mut Emitter<'_, S>,
        raw: &mut Vec<f64>,
        dense: &mut Vec<f64>,
    ) {
        let dim = self.dim();
        let mask = missing_vectors(dim, values);
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

/// One number per vector of `dim` elements: NaN if any element is missing, else 0.
#[must_use]
pub fn missing_vectors(dim: usize, values: &[f32]) -> Vec<f64> {
    let missing = |row: &[f32]| row.iter().any(|value| value.is_nan());
    values
        .chunks(dim)
        .map(|row| if missing(row) { f64::NAN } else { 0.0 })
        .collect()
}

/// Calls `visit` with the index of every element and its values over all vectors; the value is NaN
/// where the vector is missing. `mask` is the result of [`missing_vectors`], and `tile` is a
/// buffer.
///
/// Sixteen elements are transposed at a time. One at a time would load every cache line of a wide
/// matrix once per element.
pub fn for_each_element(
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
                // The mask is 0 or NaN, so the sum is NaN for a missing vector.
                .for_each(|(cell, value)| *cell = f64::from(*value) + mask);
        }
        for (at, element) in tile.chunks_exact(rows).enumerate() {
            visit(first + at, element);
        }
    }
}
