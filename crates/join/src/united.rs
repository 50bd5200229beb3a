//! The columns of all parts of an hour: a column that a part lacks is null in its rows.

use std::{collections::BTreeMap, path::PathBuf};

use counterweight_dataset::ParquetFrames;
use counterweight_impressions::columns;
use counterweight_journal::PartFile;
use polars::prelude::{Column, DataFrame, DataType, PolarsResult};

use crate::{error::JoinError, frame::require, units::EVENTS};

/// How the metadata of a part names the description of a column.
const DESCRIPTION: &str = "counterweight.column.";

/// The columns that every part of a request log has, or one of each group.
pub(crate) const REQUIRED: [&[&str]; 3] = [
    &[columns::RANKING, columns::REQUEST],
    &[columns::CANDIDATE],
    &[columns::TIME],
];

/// The columns of several parts.
#[derive(Default)]
pub(crate) struct United {
    columns: Vec<(String, DataType, PathBuf)>,
    /// The kind and side of each feature.
    pub(crate) features: BTreeMap<String, String>,
    /// The metadata of all parts; the first part that has a key decides.
    pub(crate) metadata: Vec<(String, String)>,
}

impl United {
    /// `required` are groups of columns, of which every part has one.
    pub(crate) fn of(parts: &[PartFile], required: &[&[&str]]) -> Result<Self, JoinError> {
        let mut united = Self::default();
        for part in parts {
            let frames = ParquetFrames::open(&part.path, None)?;
            require(&part.path, &frames.schema(), required)?;
            for (name, dtype) in frames.schema() {
                // Times become milliseconds when they are read.
                let dtype = match dtype {
                    DataType::Datetime(..) if name == columns::TIME => DataType::Int64,
                    other => other,
                };
                united.add(name, dtype, part)?;
            }
            for (key, description) in frames.metadata() {
                if let Some(column) = key.strip_prefix(DESCRIPTION) {
                    united
                        .features
                        .insert(column.to_owned(), description.clone());
                }
                if united.metadata.iter().all(|(own, _)| *own != key) {
                    united.metadata.push((key, description));
                }
            }
        }
        Ok(united)
    }

    fn add(&mut self, name: String, dtype: DataType, part: &PartFile) -> Result<(), JoinError> {
        let mut columns = self.columns.iter_mut();
        match columns.find(|(own, _, _)| *own == name) {
            // A column without a value has no type of its own.
            Some((_, own, file)) if *own == DataType::Null => {
                *own = dtype;
                part.path.clone_into(file);
            }
            Some((_, own, _)) if *own == dtype || dtype == DataType::Null => {}
            Some((_, own, file)) => {
                return Err(JoinError::Type {
                    column: name,
                    file: part.path.clone(),
                    found: dtype.to_string(),
                    earlier: file.clone(),
                    earlier_type: own.to_string(),
                });
            }
            None => self.columns.push((name, dtype, part.path.clone())),
        }
        Ok(())
    }

    /// The objectives that were combined, in the order of their columns.
    pub(crate) fn objectives(&self) -> Vec<String> {
        let names = self.columns.iter().map(|(name, _, _)| name);
        let objectives = names.filter_map(|name| columns::objective_of(name));
        let weighted = |name: &&str| {
            let weight = columns::weight(name);
            self.columns.iter().any(|(own, _, _)| *own == weight)
        };
        objectives.filter(weighted).map(str::to_owned).collect()
    }

    /// A column of the parts that the join writes itself.
    pub(crate) fn taken(&self, added: &[String]) -> Option<&str> {
        let names = self.columns.iter().map(|(name, _, _)| name.as_str());
        let mut taken = names.filter(|name| *name == EVENTS || added.iter().any(|own| own == name));
        taken.next()
    }

    /// The rows of a part with all columns, in their order.
    pub(crate) fn complete(&self, frame: &DataFrame) -> PolarsResult<Vec<Column>> {
        let rows = frame.height();
        let columns = self
            .columns
            .iter()
            .map(|(name, dtype, _)| match frame.column(name) {
                Ok(column) if column.dtype() == dtype => Ok(column.clone()),
                Ok(column) => column.cast(dtype),
                Err(_) => Ok(Column::full_null(name.as_str().into(), rows, dtype)),
            });
        columns.collect()
    }
}
