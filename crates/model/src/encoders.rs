//! The fitted encoders of all features of a schema: raw columns in, numbers out.

use serde::{Deserialize, Serialize};

use crate::{Batch, ModelError, Schema};

/// A dense matrix by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Rows of every column.
    pub rows: usize,
    /// One vector of `rows` numbers per column; all finite.
    pub columns: Vec<Vec<f64>>,
    /// A name per column, `feature` or `feature[part]`.
    pub names: Vec<String>,
}

/// One fitted encoder per feature of a schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoders {
    schema: Schema,
}

impl Encoders {
    /// The schema that was fitted.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Number of encoded columns.
    #[must_use]
    pub fn width(&self) -> usize {
        todo!()
    }

    /// A name per encoded column.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        todo!()
    }

    /// Which feature (index into the schema's features) each encoded column comes from.
    #[must_use]
    pub fn column_features(&self) -> Vec<usize> {
        todo!()
    }

    /// What was left out while fitting and why, e.g. a constant column; one line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        todo!()
    }

    /// Encodes rows that took no part in fitting, with the values as logged (served values are not put in).
    ///
    /// # Errors
    /// [`ModelError::OtherSchema`] when the batch was checked against other inputs.
    pub fn encode(&self, _batch: &Batch<'_>) -> Result<Encoded, ModelError> {
        todo!()
    }
}
