//! Rows by column, as callers give them, and the Parquet schema and values that they become.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    basic::{LogicalType, Repetition, Type as Physical},
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
    },
    errors::ParquetError,
    file::writer::SerializedColumnWriter,
    schema::types::{Type, TypePtr},
};

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

    pub(crate) fn empty(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text => Self::Text(Vec::new()),
            ColumnType::Int32 => Self::Int32(Vec::new()),
            ColumnType::Int64 => Self::Int64(Vec::new()),
            ColumnType::Float64 => Self::Float64(Vec::new()),
            ColumnType::Bool => Self::Bool(Vec::new()),
            ColumnType::TextList => Self::TextList(Vec::new()),
            ColumnType::FloatList => Self::FloatList(Vec::new()),
        }
    }

    /// Values of rows in another order: the value of that row, or null.
    pub(crate) fn picked(&self, rows: &[Option<usize>]) -> Self {
        fn pick<T: Clone>(values: &[Option<T>], rows: &[Option<usize>]) -> Vec<Option<T>> {
            let value =
                |row: &Option<usize>| row.and_then(|row| values.get(row).cloned().flatten());
            rows.iter().map(value).collect()
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

    /// Fills up with nulls.
    pub(crate) fn resize(&mut self, rows: usize) {
        each!(self, values => values.resize(rows, None));
    }

    /// Adds values of the same type; others add nothing.
    pub(crate) fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Text(to), Self::Text(from)) => to.extend(from),
            (Self::Int32(to), Self::Int32(from)) => to.extend(from),
            (Self::Int64(to), Self::Int64(from)) => to.extend(from),
            (Self::Float64(to), Self::Float64(from)) => to.extend(from),
            (Self::Bool(to), Self::Bool(from)) => to.extend(from),
            (Self::TextList(to), Self::TextList(from)) => to.extend(from),
            (Self::FloatList(to), Self::FloatList(from)) => to.extend(from),
            _ => {}
        }
    }

    /// Writes them as a column of a row group.
    pub(crate) fn write(self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Text(rows) => {
                let rows = rows.into_iter().map(|row| row.map(ByteArray::from));
                write_plain::<ByteArrayType>(column, rows)
            }
            Self::Int32(rows) => write_plain::<Int32Type>(column, rows),
            Self::Int64(rows) => write_plain::<Int64Type>(column, rows),
            Self::Float64(rows) => write_plain::<DoubleType>(column, rows),
            Self::Bool(rows) => write_plain::<BoolType>(column, rows),
            Self::TextList(rows) => {
                let bytes = |text: String| ByteArray::from(text.into_bytes());
                write_lists::<ByteArrayType, _>(column, rows, bytes)
            }
            Self::FloatList(rows) => write_lists::<FloatType, _>(column, rows, |value| value),
        }
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
    pub values: Values,
}

impl Column {
    /// A column without a description.
    #[must_use]
    pub fn new(name: impl Into<String>, values: Values) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            values,
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
        let rows = first.values.rows();
        if rows == 0 {
            return Err("it has no row".to_owned());
        }
        let mut names = std::collections::HashSet::new();
        for column in &self.0 {
            if column.values.rows() != rows {
                return Err(format!(
                    "column `{}` has {} rows, and `{}` has {rows}",
                    column.name,
                    column.values.rows(),
                    first.name
                ));
            }
            if !names.insert(&column.name) {
                return Err(format!("it has column `{}` twice", column.name));
            }
        }
        Ok(rows)
    }
}

/// The Parquet schema of columns; all of them may be null.
pub(crate) fn parquet_schema(columns: &[(String, ColumnType)]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|(name, column_type)| match column_type {
        ColumnType::Text => text(name),
        ColumnType::Int32 => primitive(name, Physical::INT32),
        ColumnType::Int64 => primitive(name, Physical::INT64),
        ColumnType::Float64 => primitive(name, Physical::DOUBLE),
        ColumnType::Bool => primitive(name, Physical::BOOLEAN),
        ColumnType::TextList => list(name, text("element")?),
        ColumnType::FloatList => list(name, primitive("element", Physical::FLOAT)?),
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let schema = Type::group_type_builder("schema").with_fields(fields);
    schema.build().map(Arc::new)
}

fn primitive(name: &str, physical: Physical) -> Result<TypePtr, ParquetError> {
    let field = Type::primitive_type_builder(name, physical);
    field
        .with_repetition(Repetition::OPTIONAL)
        .build()
        .map(Arc::new)
}

fn text(name: &str) -> Result<TypePtr, ParquetError> {
    let field = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::String));
    field.build().map(Arc::new)
}

fn list(name: &str, element: TypePtr) -> Result<TypePtr, ParquetError> {
    let repeated = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![element])
        .build()?;
    let field = Type::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(repeated)]);
    field.build().map(Arc::new)
}

fn write_plain<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    rows: impl IntoIterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let mut values = Vec::new();
    let mut definitions = Vec::new();
    for row in rows {
        definitions.push(i16::from(row.is_some()));
        values.extend(row);
    }
    column
        .typed::<T>()
        .write_batch(&values, Some(&definitions), None)?;
    Ok(())
}

/// Definition levels: 0 is a null list, 1 an empty one, 3 an element. An element repeats (1) unless
/// it is the first of its row (0).
fn write_lists<T: DataType, V>(
    column: &mut SerializedColumnWriter<'_>,
    rows: Vec<Option<Vec<V>>>,
    convert: impl Fn(V) -> T::T,
) -> Result<(), ParquetError> {
    let mut values = Vec::new();
    let mut definitions = Vec::new();
    let mut repetitions = Vec::new();
    for row in rows {
        let definition = match &row {
            None => 0,
            Some(list) if list.is_empty() => 1,
            Some(_) => 3,
        };
        let list = row.unwrap_or_default();
        for at in 0..list.len().max(1) {
            definitions.push(definition);
            repetitions.push(i16::from(at > 0));
        }
        values.extend(list.into_iter().map(&convert));
    }
    let column = column.typed::<T>();
    column.write_batch(&values, Some(&definitions), Some(&repetitions))?;
    Ok(())
}
