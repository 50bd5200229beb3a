//! Rows by column, as callers give them.

use std::collections::HashSet;

use bytes::Bytes;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// A string.
    Text,
    /// An int32.
    Int32,
    /// An int64.
    Int64,
    /// A float64.
    Float64,
    /// A boolean.
    Bool,
    /// A list of strings.
    TextList,
    /// A list of float32.
    FloatList,
}

impl ColumnType {
    /// As messages name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Bool => "boolean",
            Self::TextList => "list of strings",
            Self::FloatList => "list of float32",
        }
    }
}

/// The values of a column, one a row; `None` is null.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Strings, which are UTF-8. A string that many rows share costs no copy.
    Text(Vec<Option<Bytes>>),
    /// int32.
    Int32(Vec<Option<i32>>),
    /// int64.
    Int64(Vec<Option<i64>>),
    /// float64.
    Float64(Vec<Option<f64>>),
    /// Booleans.
    Bool(Vec<Option<bool>>),
    /// Lists of strings.
    TextList(Vec<Option<Vec<String>>>),
    /// Lists of float32.
    FloatList(Vec<Option<Vec<f32>>>),
}

macro_rules! each {
    ($values:expr, $rows:ident => $body:expr) => {
        match $values {
            Values::Text($rows) => $body,
            Values::Int32($rows) => $body,
            Values::Int64($rows) => $body,
            Values::Float64($rows) => $body,
            Values::Bool($rows) => $body,
            Values::TextList($rows) => $body,
            Values::FloatList($rows) => $body,
        }
    };
}

impl Values {
    /// Their type.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        match self {
            Self::Text(_) => ColumnType::Text,
            Self::Int32(_) => ColumnType::Int32,
            Self::Int64(_) => ColumnType::Int64,
            Self::Float64(_) => ColumnType::Float64,
            Self::Bool(_) => ColumnType::Bool,
            Self::TextList(_) => ColumnType::TextList,
            Self::FloatList(_) => ColumnType::FloatList,
        }
    }

    fn rows(&self) -> usize {
        each!(self, rows => rows.len())
    }

    /// The values of these rows, in this order; null for a row that does not exist.
    pub(crate) fn picked(&self, rows: impl Iterator<Item = Option<usize>>) -> Self {
        fn pick<T: Clone>(
            values: &[Option<T>],
            rows: impl Iterator<Item = Option<usize>>,
        ) -> Vec<Option<T>> {
            rows.map(|row| values.get(row?).cloned().flatten())
                .collect()
        }
        match self {
            Self::Text(values) => Self::Text(pick(values, rows)),
            Self::Int32(values) => Self::Int32(pick(values, rows)),
            Self::Int64(values) => Self::Int64(pick(values, rows)),
            Self::Float64(values) => Self::Float64(pick(values, rows)),
            Self::Bool(values) => Self::Bool(pick(values, rows)),
            Self::TextList(values) => Self::TextList(pick(values, rows)),
            Self::FloatList(values) => Self::FloatList(pick(values, rows)),
        }
    }
}

/// The values of a column in a compact form: most columns of a ranking have one value for all rows,
/// or values for few rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// A value for each row.
    Each(Values),
    /// One value, and the number of rows that have it.
    Same(Values, usize),
    /// Values of some rows, by ascending row; the other rows are null.
    Some {
        /// The rows.
        rows: Vec<usize>,
        /// A value for each of them, or one for all of them.
        values: Values,
        /// The number of all rows.
        of: usize,
    },
}

impl Cells {
    /// Their type.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        let (Self::Each(values) | Self::Same(values, _) | Self::Some { values, .. }) = self;
        values.column_type()
    }

    /// A value for each row.
    #[must_use]
    pub fn to_values(&self) -> Values {
        match self {
            Self::Each(values) => values.clone(),
            Self::Same(value, rows) => value.picked((0..*rows).map(|_| Some(0))),
            Self::Some { rows, values, of } => {
                let mut place = vec![None; *of];
                for (at, &row) in rows.iter().enumerate() {
                    place[row] = Some(if values.rows() == 1 { 0 } else { at });
                }
                values.picked(place.into_iter())
            }
        }
    }

    /// The number of rows, or why these are not the values of rows.
    fn checked_rows(&self) -> Result<usize, String> {
        let wrong = || Err("it has values without rows".to_owned());
        match self {
            Self::Each(values) => Ok(values.rows()),
            Self::Same(values, rows) if values.rows() == 1 => Ok(*rows),
            Self::Same(..) => wrong(),
            Self::Some { rows, values, of } => {
                let fit = values.rows() == rows.len() || values.rows() == 1;
                let ascend = rows.is_sorted_by(|a, b| a < b);
                match fit && ascend && rows.last().is_none_or(|last| last < of) {
                    true => Ok(*of),
                    false => wrong(),
                }
            }
        }
    }
}

impl From<Values> for Cells {
    fn from(values: Values) -> Self {
        Self::Each(values)
    }
}

/// A column of the rows of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What a part says about it under `counterweight.column.NAME`; empty for nothing.
    pub description: String,
    /// A value or null per row.
    pub values: Cells,
}

impl Column {
    /// A column without a description.
    #[must_use]
    pub fn new(name: impl Into<String>, values: impl Into<Cells>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            values: values.into(),
        }
    }
}

/// The rows of one record, which stay together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns(pub Vec<Column>);

impl Columns {
    /// The number of rows, or why these are no rows.
    pub(crate) fn checked_rows(&self) -> Result<usize, String> {
        let Some(first) = self.0.first() else {
            return Err("it has no column".to_owned());
        };
        let rows = first.values.checked_rows()?;
        if rows == 0 {
            return Err("it has no row".to_owned());
        }
        let mut names = HashSet::new();
        for column in &self.0 {
            let found = column.values.checked_rows()?;
            if found != rows {
                return Err(format!(
                    "column `{}` has {found} rows, and `{}` has {rows}",
                    column.name, first.name
                ));
            }
            if !names.insert(&column.name) {
                return Err(format!("it has column `{}` twice", column.name));
            }
        }
        Ok(rows)
    }
}
