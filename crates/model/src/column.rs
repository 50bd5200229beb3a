//! Raw values by column, and the batch: columns that are checked and ready to encode.

use std::borrow::Cow;

use crate::error::ModelError;
use crate::feature::{Input, Kind, Side};
use crate::schema::Schema;

/// One raw input of a batch: one value per row, or a single value for all rows (context inputs
/// only).
#[derive(Debug, Clone, PartialEq)]
pub enum Column<'a> {
    /// Numbers, and booleans as 0 and 1; NaN is missing.
    Numeric(Vec<f64>),
    /// Texts and categories; the empty string is missing.
    Text(Vec<Cow<'a, str>>),
    /// Lists of categories, whose empty elements are skipped; an empty list is missing.
    List(Vec<Vec<String>>),
    /// Vectors, row-major `[rows, dim]`; a row with any NaN is missing.
    Vector {
        /// Numbers per row.
        dim: usize,
        /// `rows × dim` numbers.
        values: Vec<f32>,
    },
}

impl Column<'_> {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Numeric(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::List(values) => values.len(),
            Self::Vector { dim, values } => values.len() / (*dim).max(1),
        }
    }

    /// A column with the values of these rows, in this order; texts are borrowed.
    ///
    /// # Panics
    /// If an index is not below [`rows`](Self::rows).
    #[must_use]
    pub fn gather(&self, rows: &[usize]) -> Column<'_> {
        match self {
            Self::Numeric(values) => Column::Numeric(rows.iter().map(|&row| values[row]).collect()),
            Self::Text(values) => {
                let text = |&row: &usize| Cow::Borrowed(values[row].as_ref());
                Column::Text(rows.iter().map(text).collect())
            }
            Self::List(values) => {
                Column::List(rows.iter().map(|&row| values[row].clone()).collect())
            }
            Self::Vector { dim, values } => Column::Vector {
                dim: *dim,
                values: rows
                    .iter()
                    .flat_map(|&row| &values[row * dim..(row + 1) * dim])
                    .copied()
                    .collect(),
            },
        }
    }

    fn kind_name(&self) -> &'static str {
        match self {
            Self::Numeric(_) => "numeric",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Vector { .. } => "vector",
        }
    }
}

/// The number of missing values of an input, and the number of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Missing values.
    pub missing: usize,
    /// All values of the column: 1 for a broadcast column, 0 for an absent one.
    pub values: usize,
}

/// Columns that passed every check against a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<'a> {
    rows: usize,
    columns: Vec<Option<Column<'a>>>,
    schema: u64,
}

impl<'a> Batch<'a> {
    /// Checks one column per input of `schema`, in the schema's order; `None` is an absent column.
    /// Texts, categories and list elements longer than the schema's `max_text_bytes` are cut at a
    /// character boundary.
    ///
    /// The column of an input with a served value may always be absent.
    ///
    /// ```
    /// use counterweight_model::{
    ///     Batch, Column, DEFAULT_MAX_TEXT_BYTES, Feature, Input, Kind, Schema,
    /// };
    ///
    /// let schema = Schema::new(
    ///     vec![
    ///         Input::candidate("title", Kind::Text),
    ///         Input::context("on_wifi", Kind::Boolean),
    ///     ],
    ///     vec![Feature::of_input("title"), Feature::of_input("on_wifi")],
    ///     DEFAULT_MAX_TEXT_BYTES,
    /// )?;
    /// let titles = || Column::Text(vec!["Ten tips".into(), "Council meets".into()]);
    ///
    /// // A context input may have one value for all candidates.
    /// let columns = vec![Some(titles()), Some(Column::Numeric(vec![1.0]))];
    /// assert_eq!(Batch::new(&schema, 2, columns)?.rows(), 2);
    ///
    /// let columns = vec![Some(titles()), Some(Column::Numeric(vec![0.5]))];
    /// let error = Batch::new(&schema, 2, columns).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "input `on_wifi` is boolean, but row 0 is 0.5; use 0, 1, or NaN for a missing value",
    /// );
    /// # Ok::<(), counterweight_model::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// The error names the input whose column is required but absent, has the wrong kind or length,
    /// or contains an infinite number or a boolean that is neither 0 nor 1.
    pub fn new(
        schema: &Schema,
        rows: usize,
        mut columns: Vec<Option<Column<'a>>>,
    ) -> Result<Self, ModelError> {
        if columns.len() != schema.inputs().len() {
            return Err(ModelError::ColumnCount {
                expected: schema.inputs().len(),
                found: columns.len(),
            });
        }
        for (input, column) in schema.inputs().iter().zip(&mut columns) {
            match column {
                Some(column) => check_column(input, rows, column, schema.max_text_bytes())?,
                None if input.optional || input.served.is_some() => {}
                None => {
                    return Err(ModelError::MissingInput {
                        input: input.name.clone(),
                    });
                }
            }
        }
        Ok(Self {
            rows,
            columns,
            schema: schema.fingerprint(),
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order of the schema's inputs.
    #[must_use]
    pub fn columns(&self) -> &[Option<Column<'a>>] {
        &self.columns
    }

    /// A batch of the given rows, in the given order; texts are borrowed. The same row may be given
    /// more than once.
    ///
    /// # Panics
    /// If an index is not below [`rows`](Self::rows).
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Batch<'_> {
        let columns = self
            .columns
            .iter()
            .map(|column| column.as_ref().map(|column| take(column, self.rows, rows)))
            .collect();
        Batch {
            rows: rows.len(),
            columns,
            schema: self.schema,
        }
    }

    /// The number of missing values per input, in the order of the schema's inputs.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.columns
            .iter()
            .map(|column| {
                column.as_ref().map_or(
                    Missing {
                        missing: 0,
                        values: 0,
                    },
                    count_missing,
                )
            })
            .collect()
    }

    /// Fails unless this batch was checked against `schema`, or against one with the same inputs
    /// and text limit.
    pub(crate) fn fits(&self, schema: &Schema) -> Result<(), ModelError> {
        if self.schema == schema.fingerprint() {
            Ok(())
        } else {
            Err(ModelError::OtherSchema)
        }
    }
}

fn check_column(
    input: &Input,
    rows: usize,
    column: &mut Column<'_>,
    max_bytes: usize,
) -> Result<(), ModelError> {
    let name = || input.name.clone();
    let fits = matches!(
        (&*column, input.kind),
        (Column::Numeric(_), Kind::Numeric | Kind::Boolean)
            | (Column::Text(_), Kind::Text | Kind::Categorical)
            | (Column::List(_), Kind::List)
            | (Column::Vector { .. }, Kind::Vector { .. })
    );
    if !fits {
        return Err(ModelError::WrongKind {
            input: name(),
            expected: input.kind.to_string(),
            found: column.kind_name(),
        });
    }
    if let (Column::Vector { dim, values }, Kind::Vector { dim: expected }) = (&*column, input.kind)
        && (*dim != expected || values.len() % expected != 0)
    {
        return Err(ModelError::WrongDimension {
            input: name(),
            expected,
            found: *dim,
        });
    }
    let broadcast = input.side == Side::Context;
    let found = column.rows();
    if found != rows && !(broadcast && found == 1) {
        return Err(ModelError::WrongLength {
            input: name(),
            expected: rows,
            found,
            broadcast,
        });
    }
    match column {
        Column::Numeric(values) => check_numbers(input, values),
        Column::Vector { dim, values } => match values.iter().position(|value| value.is_infinite())
        {
            Some(index) => Err(ModelError::Infinite {
                input: name(),
                row: index / *dim,
            }),
            None => Ok(()),
        },
        Column::Text(values) => {
            values.iter_mut().for_each(|value| cut(value, max_bytes));
            Ok(())
        }
        Column::List(values) => {
            for list in values {
                list.retain(|element| !element.is_empty());
                list.iter_mut()
                    .for_each(|element| element.truncate(element.floor_char_boundary(max_bytes)));
            }
            Ok(())
        }
    }
}

fn check_numbers(input: &Input, values: &[f64]) -> Result<(), ModelError> {
    if let Some(row) = values.iter().position(|value| value.is_infinite()) {
        return Err(ModelError::Infinite {
            input: input.name.clone(),
            row,
        });
    }
    if input.kind == Kind::Boolean
        && let Some(row) = values
            .iter()
            .position(|&value| !(value.is_nan() || value == 0.0 || value == 1.0))
    {
        return Err(ModelError::NotBoolean {
            input: input.name.clone(),
            row,
            value: values[row],
        });
    }
    Ok(())
}

fn cut(text: &mut Cow<'_, str>, max_bytes: usize) {
    if text.len() <= max_bytes {
        return;
    }
    let end = text.floor_char_boundary(max_bytes);
    match text {
        Cow::Borrowed(text) => *text = &text[..end],
        Cow::Owned(text) => text.truncate(end),
    }
}

/// Gathers `rows` from a column of a batch that has `batch_rows` rows; a broadcast column stays
/// one.
fn take<'b>(column: &'b Column<'_>, batch_rows: usize, rows: &[usize]) -> Column<'b> {
    if column.rows() == 1 && batch_rows != 1 {
        return column.gather(&[0]);
    }
    column.gather(rows)
}

fn count_missing(column: &Column<'_>) -> Missing {
    let missing = match column {
        Column::Numeric(values) => values.iter().filter(|value| value.is_nan()).count(),
        Column::Text(values) => values.iter().filter(|value| value.is_empty()).count(),
        Column::List(values) => values.iter().filter(|value| value.is_empty()).count(),
        Column::Vector { dim, values } => values
            .chunks(*dim)
            .filter(|row| row.iter().any(|value| value.is_nan()))
            .count(),
    };
    Missing {
        missing,
        values: column.rows(),
    }
}
