//! Rows by column, as the Parquet writer takes them, and their Parquet schema.

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

use crate::table::{Cells, ColumnType, Values};

/// The values of a column of a row group, as the Parquet writer takes them.
pub(crate) enum Pending {
    Text(Plain<ByteArray>),
    Int32(Plain<i32>),
    Int64(Plain<i64>),
    Float64(Plain<f64>),
    Bool(Plain<bool>),
    TextList(Lists<ByteArray>),
    FloatList(Lists<f32>),
}

impl Pending {
    pub(crate) fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text => Self::Text(Plain::default()),
            ColumnType::Int32 => Self::Int32(Plain::default()),
            ColumnType::Int64 => Self::Int64(Plain::default()),
            ColumnType::Float64 => Self::Float64(Plain::default()),
            ColumnType::Bool => Self::Bool(Plain::default()),
            ColumnType::TextList => Self::TextList(Lists::default()),
            ColumnType::FloatList => Self::FloatList(Lists::default()),
        }
    }

    /// Adds cells of the same type; others add nothing.
    pub(crate) fn add(&mut self, cells: &Cells) {
        let list = |texts: &Vec<String>| texts.iter().map(|text| text.as_str().into()).collect();
        match self {
            Self::Text(into) => into.add(cells, texts, |text| ByteArray::from(text.clone())),
            Self::Int32(into) => into.add(cells, int32s, |value| *value),
            Self::Int64(into) => into.add(cells, int64s, |value| *value),
            Self::Float64(into) => into.add(cells, float64s, |value| *value),
            Self::Bool(into) => into.add(cells, bools, |value| *value),
            Self::TextList(into) => into.add(cells, text_lists, list),
            Self::FloatList(into) => into.add(cells, float_lists, Vec::clone),
        }
    }

    /// Fills up with nulls.
    pub(crate) fn fill(&mut self, rows: usize) {
        match self {
            Self::Text(into) => into.definitions.resize(rows, 0),
            Self::Int32(into) => into.definitions.resize(rows, 0),
            Self::Int64(into) => into.definitions.resize(rows, 0),
            Self::Float64(into) => into.definitions.resize(rows, 0),
            Self::Bool(into) => into.definitions.resize(rows, 0),
            Self::TextList(into) => into.fill(rows),
            Self::FloatList(into) => into.fill(rows),
        }
    }

    /// Writes them as a column of a row group.
    pub(crate) fn write(self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Text(rows) => rows.write::<ByteArrayType>(column),
            Self::Int32(rows) => rows.write::<Int32Type>(column),
            Self::Int64(rows) => rows.write::<Int64Type>(column),
            Self::Float64(rows) => rows.write::<DoubleType>(column),
            Self::Bool(rows) => rows.write::<BoolType>(column),
            Self::TextList(rows) => rows.write::<ByteArrayType>(column),
            Self::FloatList(rows) => rows.write::<FloatType>(column),
        }
    }
}

macro_rules! of_type {
    ($($name:ident $variant:ident $value:ty),* $(,)?) => {
        $(fn $name(values: &Values) -> Option<&[Option<$value>]> {
            match values {
                Values::$variant(values) => Some(values),
                _ => None,
            }
        })*
    };
}

of_type! {
    texts Text Bytes,
    int32s Int32 i32,
    int64s Int64 i64,
    float64s Float64 f64,
    bools Bool bool,
    text_lists TextList Vec<String>,
    float_lists FloatList Vec<f32>,
}

/// Values that are not null, and for each row whether it has one: definition level 1, or 0.
#[derive(Default)]
pub(crate) struct Plain<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
}

impl<T: Clone> Plain<T> {
    fn add<V>(
        &mut self,
        cells: &Cells,
        of: impl Fn(&Values) -> Option<&[Option<V>]>,
        convert: impl Fn(&V) -> T,
    ) {
        match cells {
            Cells::Each(values) => {
                let Some(values) = of(values) else { return };
                let defined = values.iter().map(|value| i16::from(value.is_some()));
                self.definitions.extend(defined);
                self.values.extend(values.iter().flatten().map(convert));
            }
            Cells::Same(values, rows) => {
                let Some([value]) = of(values) else { return };
                self.repeat(value.as_ref().map(convert), *rows);
            }
            Cells::Some {
                rows,
                values,
                of: n,
            } => {
                let Some(values) = of(values) else { return };
                let start = self.definitions.len();
                self.definitions.resize(start + n, 0);
                let all = values.len() == 1;
                for (at, &row) in rows.iter().enumerate() {
                    if let Some(value) = &values[if all { 0 } else { at }] {
                        self.definitions[start + row] = 1;
                        self.values.push(convert(value));
                    }
                }
            }
        }
    }

    fn repeat(&mut self, value: Option<T>, rows: usize) {
        let all = self.definitions.len() + rows;
        self.definitions.resize(all, i16::from(value.is_some()));
        if let Some(value) = value {
            self.values.resize(self.values.len() + rows, value);
        }
    }

    fn write<D: DataType<T = T>>(
        self,
        column: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        let column = column.typed::<D>();
        column.write_batch(&self.values, Some(&self.definitions), None)?;
        Ok(())
    }
}

/// Elements of lists. Definition levels: 0 is a null list, 1 an empty one, 3 an element. An element
/// repeats (1) unless it is the first of its row (0).
#[derive(Default)]
pub(crate) struct Lists<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    rows: usize,
}

impl<T: Clone> Lists<T> {
    fn add<V>(
        &mut self,
        cells: &Cells,
        of: impl Fn(&Values) -> Option<&[Option<V>]>,
        convert: impl Fn(&V) -> Vec<T>,
    ) {
        match cells {
            Cells::Each(values) => {
                for list in of(values).unwrap_or_default() {
                    self.push(list.as_ref().map(&convert));
                }
            }
            Cells::Same(values, rows) => {
                let Some([list]) = of(values) else { return };
                for _ in 0..*rows {
                    self.push(list.as_ref().map(&convert));
                }
            }
            Cells::Some {
                rows,
                values,
                of: n,
            } => {
                let Some(values) = of(values) else { return };
                let start = self.rows;
                let all = values.len() == 1;
                for (at, &row) in rows.iter().enumerate() {
                    self.fill(start + row);
                    self.push(values[if all { 0 } else { at }].as_ref().map(&convert));
                }
                self.fill(start + n);
            }
        }
    }

    fn push(&mut self, list: Option<Vec<T>>) {
        let definition = match &list {
            None => 0,
            Some(list) if list.is_empty() => 1,
            Some(_) => 3,
        };
        let list = list.unwrap_or_default();
        for at in 0..list.len().max(1) {
            self.definitions.push(definition);
            self.repetitions.push(i16::from(at > 0));
        }
        self.values.extend(list);
        self.rows += 1;
    }

    fn fill(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.rows);
        self.definitions.resize(self.definitions.len() + missing, 0);
        self.repetitions.resize(self.repetitions.len() + missing, 0);
        self.rows += missing;
    }

    fn write<D: DataType<T = T>>(
        self,
        column: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        let column = column.typed::<D>();
        let levels = (Some(&*self.definitions), Some(&*self.repetitions));
        column.write_batch(&self.values, levels.0, levels.1)?;
        Ok(())
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
