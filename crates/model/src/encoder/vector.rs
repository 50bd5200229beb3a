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
    let (mut column, mut columns) = (vec![], vec![]);
    for element in 0..dim {
        gather(dim, values, element, &mask, &mut column);
        columns.push(Standard::fit(column.iter().copied()));
    }
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
        let varying = self
            .standards
            .iter()
            .enumerate()
            .filter_map(|(at, standard)| standard.map(|standard| (at, standard)));
        let mut column = 0;
        for (element, standard) in varying {
            gather(dim, values, element, &mask, raw);
            to.standardised(column, standard, raw, dense);
            column += 1;
        }
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

/// One element of every vector; NaN where the vector is missing.
fn gather(dim: usize, values: &[f32], element: usize, mask: &[f64], out: &mut Vec<f64>) {
    out.clear();
    out.extend(
        values
            .iter()
            .skip(element)
            .step_by(dim)
            .zip(mask)
            .map(|(value, mask)| f64::from(*value) + mask),
    );
}
