//! The fitted encoders of all features of a schema: raw columns in, numbers out.

use serde::{Deserialize, Serialize};

use crate::encoder::{Emitter, Encoder, Scratch};
use crate::expression::{Mode, evaluate};
use crate::sink::{Matrix, Sink};
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
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Encoders {
    schema: Schema,
    features: Vec<FeatureEncoder>,
    /// Number of each feature's first column, then the number of all columns.
    first: Vec<usize>,
}

/// The encoder of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeatureEncoder {
    pub(crate) encoder: Encoder,
    /// What was left out while fitting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    schema: Schema,
    encoders: Vec<FeatureEncoder>,
}

impl TryFrom<Unchecked> for Encoders {
    type Error = ModelError;

    fn try_from(raw: Unchecked) -> Result<Self, ModelError> {
        Self::new(raw.schema, raw.encoders)
    }
}

impl From<Encoders> for Unchecked {
    fn from(encoders: Encoders) -> Self {
        Self {
            schema: encoders.schema,
            encoders: encoders.features,
        }
    }
}

impl Encoders {
    pub(crate) fn new(schema: Schema, features: Vec<FeatureEncoder>) -> Result<Self, ModelError> {
        if features.len() != schema.features().len() {
            return Err(ModelError::Length {
                what: "encoders",
                expected: schema.features().len(),
                found: features.len(),
            });
        }
        let mut first = vec![0];
        for (feature, FeatureEncoder { encoder, .. }) in schema.features().iter().zip(&features) {
            let problem = |problem| ModelError::Schema {
                element: format!("feature `{}`", feature.name),
                problem,
            };
            encoder
                .check(schema.feature_kind(feature)?)
                .map_err(problem)?;
            first.push(first[first.len() - 1] + encoder.width());
        }
        Ok(Self {
            schema,
            features,
            first,
        })
    }

    /// The schema that was fitted.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Number of encoded columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.first[self.features.len()]
    }

    /// A name per encoded column: `feature`, or `feature[part]` where a feature has several.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        let names =
            |(feature, FeatureEncoder { encoder, .. }): (&crate::Feature, &FeatureEncoder)| {
                let name = &feature.name;
                let full = |part: String| {
                    if part.is_empty() {
                        name.clone()
                    } else {
                        format!("{name}[{part}]")
                    }
                };
                encoder.parts().into_iter().map(full).collect::<Vec<_>>()
            };
        self.schema
            .features()
            .iter()
            .zip(&self.features)
            .flat_map(names)
            .collect()
    }

    /// Which feature (index into the schema's features) each encoded column comes from.
    #[must_use]
    pub fn column_features(&self) -> Vec<usize> {
        let widths = self.first.windows(2).map(|pair| pair[1] - pair[0]);
        widths
            .enumerate()
            .flat_map(|(feature, width)| std::iter::repeat_n(feature, width))
            .collect()
    }

    /// What was left out while fitting and why, e.g. a constant column; one line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let lines = self.schema.features().iter().zip(&self.features);
        lines
            .flat_map(|(feature, encoder)| {
                encoder
                    .notes
                    .iter()
                    .map(|note| format!("{}: {note}", feature.name))
            })
            .collect()
    }

    /// Encodes rows that took no part in fitting, with the values as logged (served values are not put in).
    ///
    /// # Errors
    /// [`ModelError::OtherSchema`] when the batch was checked against other inputs.
    pub fn encode(&self, batch: &Batch<'_>) -> Result<Encoded, ModelError> {
        let mut matrix = Matrix::new(batch.rows(), self.width());
        self.encode_into(batch, Mode::Logged, &mut matrix)?;
        Ok(Encoded {
            rows: matrix.rows,
            columns: matrix.columns,
            names: self.column_names(),
        })
    }

    pub(crate) fn encode_into<S: Sink>(
        &self,
        batch: &Batch<'_>,
        mode: Mode,
        sink: &mut S,
    ) -> Result<(), ModelError> {
        batch.fits(&self.schema)?;
        if batch.rows() == 0 {
            return Ok(());
        }
        let mut scratch = Scratch::default();
        for ((feature, FeatureEncoder { encoder, .. }), first) in self
            .schema
            .features()
            .iter()
            .zip(&self.features)
            .zip(&self.first)
        {
            let values = evaluate(&self.schema, &feature.of, batch, mode);
            let mut emitter = Emitter {
                sink,
                first: *first,
                broadcast: values.len() == 1,
            };
            encoder.apply(&values, &mut emitter, &mut scratch);
        }
        Ok(())
    }
}
