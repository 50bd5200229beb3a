//! The inputs of a model in the columns of a part, as they were served.

use counterweight_dataset::{LogColumns, LogPiece};
use counterweight_model::{Artefact, Batch, Column, Input, Kind, ModelError, Side};
use serde::Serialize;

use super::part::Part;
use crate::error::LogError;

/// A value that the model read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputValue {
    /// The input.
    pub input: String,
    /// The kind of its values.
    pub kind: String,
    /// Its value as text; none where it is missing.
    pub value: Option<String>,
}

/// Where a part has the inputs of one model.
pub(crate) struct ModelInputs<'m> {
    pub(crate) artefact: &'m Artefact,
    /// By input of the model's schema, its column; none where the part has none.
    columns: Vec<Option<String>>,
}

impl<'m> ModelInputs<'m> {
    /// Finds the columns, and asks for those that nobody asked for before.
    pub(crate) fn find(
        part: &Part,
        artefact: &'m Artefact,
        wanted: &mut LogColumns,
    ) -> Result<Self, LogError> {
        let inputs = artefact.model.schema().inputs();
        let columns: Vec<_> = inputs.iter().map(|one| part.feature(&one.name)).collect();
        for (input, column) in inputs.iter().zip(&columns) {
            if let Some(column) = column {
                want(part, wanted, input, column)?;
            }
        }
        Ok(Self { artefact, columns })
    }

    fn inputs(&self) -> impl Iterator<Item = (&Input, Option<&str>)> {
        let inputs = self.artefact.model.schema().inputs();
        inputs.iter().zip(self.columns.iter().map(Option::as_deref))
    }

    /// The inputs that were sent with every request and that the part does not have. Empty also
    /// where the part has no feature of any candidate.
    pub(crate) fn not_logged(&self) -> Vec<String> {
        let logged = self
            .inputs()
            .any(|(input, column)| tells(input) && column.is_some());
        let required = |input: &Input| !input.optional && input.served.is_none();
        let missing = self.inputs().filter(|(input, column)| {
            let without_candidates = tells(input) && !logged;
            required(input) && column.is_none() && !without_candidates
        });
        missing.map(|(input, _)| input.name.clone()).collect()
    }

    /// The optional inputs that the part does not have: they were not sent, or are not logged.
    pub(crate) fn absent(&self) -> Vec<String> {
        let missing = self
            .inputs()
            .filter(|(input, column)| input.optional && column.is_none());
        missing.map(|(input, _)| input.name.clone()).collect()
    }

    /// Whether each row has features of the candidate. A row without any value of a candidate cannot
    /// be told from one whose features are not logged, and counts as such.
    pub(crate) fn has_features(&self, piece: &LogPiece) -> Vec<bool> {
        if !self.inputs().any(|(input, _)| tells(input)) {
            return vec![true; piece.len()];
        }
        let mut has = vec![false; piece.len()];
        let telling = self.inputs().filter(|(input, _)| tells(input));
        for column in telling.filter_map(|(_, column)| piece.input(column?)) {
            for (row, has) in has.iter_mut().enumerate() {
                *has |= is_present(column, row);
            }
        }
        has
    }

    /// The model's inputs in these rows.
    pub(crate) fn batch<'p>(
        &self,
        piece: &'p LogPiece,
        rows: &[usize],
    ) -> Result<Batch<'p>, LogError> {
        let columns = self.inputs().map(|(_, column)| {
            let column = piece.input(column?)?;
            Some(column.gather(rows))
        });
        let columns = columns.collect();
        let batch = Batch::new(self.artefact.model.schema(), rows.len(), columns);
        batch.map_err(|source| self.failed(source))
    }

    pub(crate) fn failed(&self, source: ModelError) -> LogError {
        LogError::Model {
            objective: self.artefact.model.objective().to_owned(),
            source,
        }
    }

    /// The value of an input that the model read in a row; `None` if it has no such input.
    pub(crate) fn value(&self, piece: &LogPiece, input: &str, row: usize) -> Option<InputValue> {
        let (input, column) = self.inputs().find(|(own, _)| own.name == input)?;
        let logged = || {
            let column = piece.input(column?)?;
            is_present(column, row).then(|| match column {
                Column::Numeric(values) if input.kind == Kind::Boolean => {
                    (values[row] != 0.0).to_string()
                }
                Column::Numeric(values) => values[row].to_string(),
                Column::Text(values) => values[row].to_string(),
                Column::List(values) => values[row].join(", "),
                Column::Vector { dim, values } => {
                    let elements = values[row * dim..(row + 1) * dim].iter();
                    elements.map(f32::to_string).collect::<Vec<_>>().join(", ")
                }
            })
        };
        Some(InputValue {
            input: input.name.clone(),
            kind: input.kind.to_string(),
            value: input
                .served
                .map(|served| served.to_string())
                .or_else(logged),
        })
    }
}

/// Whether a value of this input shows that the features of a candidate are logged. Single values of
/// the context are logged for all candidates, whatever else is.
fn tells(input: &Input) -> bool {
    let served = input.served.is_some();
    !served && (input.side == Side::Candidate || matches!(input.kind, Kind::Vector { .. }))
}

fn is_present(column: &Column<'_>, row: usize) -> bool {
    match column {
        Column::Numeric(values) => !values[row].is_nan(),
        Column::Text(values) => !values[row].is_empty(),
        Column::List(values) => !values[row].is_empty(),
        Column::Vector { dim, values } => {
            let row = &values[row * dim..(row + 1) * dim];
            !row.iter().all(|element| element.is_nan())
        }
    }
}

/// Asks for a column once, whichever models read it.
fn want(part: &Part, wanted: &mut LogColumns, input: &Input, column: &str) -> Result<(), LogError> {
    let Some(earlier) = wanted.inputs.iter_mut().find(|own| own.name == column) else {
        wanted.inputs.push(Input {
            name: column.to_owned(),
            optional: true,
            ..input.clone()
        });
        return Ok(());
    };
    let number = |kind| matches!(kind, Kind::Numeric | Kind::Boolean);
    let text = |kind| matches!(kind, Kind::Categorical | Kind::Text);
    match (earlier.kind, input.kind) {
        (one, other) if one == other || (text(one) && text(other)) => Ok(()),
        (one, other) if number(one) && number(other) => {
            earlier.kind = Kind::Numeric;
            Ok(())
        }
        (one, other) => Err(part.wrong(format!(
            "one model reads `{}` as {one} and another as {other}; give these models one at a time",
            input.name
        ))),
    }
}
