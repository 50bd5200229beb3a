//! The columns of a part: those of all records of its segment.

use std::collections::HashMap;

use parquet::file::metadata::KeyValue;

use crate::table::{ColumnType, Columns};

/// Columns in the order of their first appearance.
#[derive(Default)]
pub(crate) struct Schema {
    pub(crate) columns: Vec<(String, ColumnType)>,
    descriptions: Vec<String>,
    pub(crate) places: HashMap<String, usize>,
}

impl Schema {
    /// Adds the columns of a record. The first record with a column decides its type; a record with
    /// another type has null there, so that nothing else of it is lost. Returns which those are.
    pub(crate) fn add(&mut self, columns: &Columns) -> Vec<String> {
        let mut left_out = Vec::new();
        for column in &columns.0 {
            let found = column.values.column_type();
            let Some(&place) = self.places.get(&column.name) else {
                self.places.insert(column.name.clone(), self.columns.len());
                self.columns.push((column.name.clone(), found));
                self.descriptions.push(column.description.clone());
                continue;
            };
            let expected = self.columns[place].1;
            if found != expected {
                left_out.push(format!(
                    "column `{}` is {} here and {} in an earlier record",
                    column.name,
                    found.name(),
                    expected.name()
                ));
            }
        }
        left_out
    }

    /// What a part says about itself and its columns.
    pub(crate) fn metadata(&self, version: &str) -> Vec<KeyValue> {
        let version = KeyValue::new("counterweight.schema".to_owned(), version.to_owned());
        let described = self.columns.iter().zip(&self.descriptions);
        let described = described.filter(|(_, description)| !description.is_empty());
        let columns = described.map(|((name, _), description)| {
            KeyValue::new(format!("counterweight.column.{name}"), description.clone())
        });
        std::iter::once(version).chain(columns).collect()
    }
}
