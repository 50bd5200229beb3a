//! Computes the values that the labels of an objective are made from, row by row.

use crate::{
    DatasetError,
    convert::Cells,
    pieces::{Needed, Piece, Shape},
    spec::{Above, LabelSpec},
};

/// What the label of one row is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    Known(bool),
    /// A value to compare with a threshold that is fitted later.
    Value(f64),
    Missing,
}

impl LabelSpec {
    pub(crate) fn needed(&self) -> impl Iterator<Item = Needed> {
        let columns = self.column.iter().chain(self.ratio.iter().flatten());
        columns.map(|column| Needed {
            column: column.clone(),
            needed_as: "label".into(),
            optional: false,
            shape: Shape::Scalar,
        })
    }

    /// The target of each row of the piece.
    pub(crate) fn targets(&self, piece: &Piece) -> Result<Vec<Target>, DatasetError> {
        let values = match (&self.column, &self.ratio) {
            (_, Some(ratio)) => Cells::ratios(piece, ratio)?
                .into_iter()
                .map(|ratio| if ratio.is_finite() { ratio } else { f64::NAN })
                .collect(),
            (Some(column), None) if self.above.is_none() => match Cells::find(piece, column) {
                Some(cells) => cells.booleans()?,
                None => vec![f64::NAN; piece.len()],
            },
            (Some(column), None) => Cells::numbers_or_missing(piece, column)?,
            (None, None) => vec![f64::NAN; piece.len()],
        };
        Ok(values.into_iter().map(|value| self.target(value)).collect())
    }

    fn target(&self, value: f64) -> Target {
        match &self.above {
            _ if value.is_nan() => Target::Missing,
            None => Target::Known(value > 0.5),
            Some(Above::Number(threshold)) => Target::Known(value > *threshold),
            Some(Above::Text(_)) => Target::Value(value),
        }
    }

    /// Whether the label depends on a training median.
    pub(crate) fn needs_threshold(&self) -> bool {
        matches!(self.above, Some(Above::Text(_)))
    }

    /// The label rule in words.
    pub(crate) fn describe(&self) -> String {
        let value = match (&self.column, &self.ratio) {
            (_, Some([numerator, denominator])) => format!("{numerator} / {denominator}"),
            (column, _) => column.clone().unwrap_or_default(),
        };
        match &self.above {
            None => value,
            Some(Above::Number(number)) => format!("{value} > {number}"),
            Some(Above::Text(text)) => format!("{value} > {text}"),
        }
    }
}
