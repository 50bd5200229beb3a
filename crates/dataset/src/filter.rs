//! Applies the filters of a description to the rows of a piece.

use crate::{
    DatasetError,
    convert::Cells,
    pieces::{Needed, Piece, Shape},
    spec::{Filter, Scalar},
};

impl Filter {
    pub(crate) fn needed(&self) -> Needed {
        Needed {
            column: self.column.clone(),
            needed_as: "filter".into(),
            optional: false,
            shape: Shape::Scalar,
        }
    }

    /// Whether each row of the piece passes. A missing value passes no condition.
    pub(crate) fn passes(&self, piece: &Piece) -> Result<Vec<bool>, DatasetError> {
        let Some(cells) = Cells::find(piece, &self.column) else {
            return Ok(vec![false; piece.len()]);
        };
        let mut keep = vec![true; piece.len()];
        if self.min.is_some() || self.max.is_some() || self.not_between.is_some() {
            let min = self.min.unwrap_or(f64::NEG_INFINITY);
            let max = self.max.unwrap_or(f64::INFINITY);
            for (keep, value) in keep.iter_mut().zip(cells.numbers()?) {
                let between = self
                    .not_between
                    .is_some_and(|[low, high]| value >= low && value <= high);
                *keep &= value >= min && value <= max && !between;
            }
        }
        if let Some(value) = &self.equals {
            one_of(&cells, std::slice::from_ref(value), &mut keep)?;
        }
        if let Some(values) = &self.one_of {
            one_of(&cells, values, &mut keep)?;
        }
        if self.not_missing.is_some() {
            for (keep, missing) in keep.iter_mut().zip(cells.missing()?) {
                *keep &= !missing;
            }
        }
        Ok(keep)
    }
}

/// Clears the flag of each row whose value is not among `values`. Numbers are compared by value, so
/// `3` equals `3.0`.
fn one_of(cells: &Cells<'_>, values: &[Scalar], keep: &mut [bool]) -> Result<(), DatasetError> {
    for (keep, text) in keep.iter_mut().zip(cells.texts()?) {
        *keep &= values.iter().any(|value| match value {
            Scalar::Text(wanted) => text == *wanted,
            Scalar::Boolean(wanted) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => *wanted,
                "false" | "0" => !*wanted,
                _ => false,
            },
            #[expect(clippy::float_cmp, reason = "the filter asks for equality")]
            Scalar::Number(wanted) => text
                .trim()
                .parse::<f64>()
                .is_ok_and(|number| number == *wanted),
        });
    }
    Ok(())
}
