//! Rows in memory: typed input columns and role columns, and batches of selected rows.

use counterweight_model::{Batch, Column, ModelError, Schema};
use serde::Serialize;

/// What a column says about a row, other than its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The request in which the candidate was shown.
    Request,
    /// The user to whom the candidate was shown.
    User,
    /// The candidate's id.
    Candidate,
    /// The time: a date or time of the file's own type, ISO 8601 (UTC without an offset), or a
    /// number.
    Time,
    /// The position in the ranking. A whole float such as `8.0` becomes `8`.
    Position,
    /// The group. Rows of one group share a part and a fold; a row without a value is its own
    /// group.
    Group,
}

impl Role {
    /// The key in `[columns]`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::User => "user",
            Self::Candidate => "candidate",
            Self::Time => "time",
            Self::Position => "position",
            Self::Group => "group",
        }
    }
}

/// The values of a role column as text, one per row; an empty string is a missing value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdColumn {
    /// The role.
    pub role: Role,
    /// The name of the column in the files.
    pub column: String,
    /// One value per row.
    pub values: Vec<String>,
}

/// Rows in the form that the model reads.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The inputs and features.
    pub schema: Schema,
    /// One per input, in schema order, each with [`Rows::len`] values. `None` is an optional column
    /// that no file has.
    pub columns: Vec<Option<Column<'static>>>,
    /// The role columns that the description names, in the order of [`Role`].
    pub ids: Vec<IdColumn>,
    /// The number of each row across all files, from 0. Rows that were left out are counted too.
    pub numbers: Vec<u64>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The values of a role, if the description names a column for it.
    pub fn id(&self, role: Role) -> Option<&[String]> {
        self.ids
            .iter()
            .find(|ids| ids.role == role)
            .map(|ids| ids.values.as_slice())
    }

    /// A checked batch of the given rows, in the given order. Texts are borrowed.
    ///
    /// # Errors
    /// As [`Batch::new`].
    ///
    /// # Panics
    /// When an index is not below [`Rows::len`].
    pub fn batch(&self, rows: &[usize]) -> Result<Batch<'_>, ModelError> {
        let columns = self
            .columns
            .iter()
            .map(|column| column.as_ref().map(|column| column.gather(rows)));
        Batch::new(&self.schema, rows.len(), columns.collect())
    }

    /// A checked batch of all rows.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub fn all(&self) -> Result<Batch<'_>, ModelError> {
        let rows: Vec<usize> = (0..self.len()).collect();
        self.batch(&rows)
    }
}
