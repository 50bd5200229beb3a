//! Converts values of a file to the kinds that the description declares.

mod cells;
mod nested;
mod times;

use std::borrow::Cow;

use counterweight_model::{Column, Kind};
use polars::prelude::DataType;

use crate::DatasetError;

pub(crate) use cells::Cells;
pub(crate) use times::Times;

impl Cells<'_> {
    /// The column as values of the given kind.
    pub(crate) fn column(&self, kind: Kind) -> Result<Column<'static>, DatasetError> {
        Ok(match kind {
            Kind::Numeric => Column::Numeric(self.numbers()?),
            Kind::Boolean => Column::Numeric(self.booleans()?),
            Kind::Categorical | Kind::Text => {
                Column::Text(self.texts()?.into_iter().map(Cow::Owned).collect())
            }
            Kind::List => Column::List(self.lists()?),
            Kind::Vector { dim } => Column::Vector {
                dim,
                values: self.vectors(dim)?,
            },
        })
    }

    /// Whether each value is missing: null, empty or NaN.
    pub(crate) fn missing(&self) -> Result<Vec<bool>, DatasetError> {
        match self.series.dtype() {
            DataType::List(_) => Ok(self.lists()?.iter().map(Vec::is_empty).collect()),
            _ => Ok(self
                .texts()?
                .iter()
                .map(|text| text.trim().is_empty() || text == "NaN")
                .collect()),
        }
    }
}
