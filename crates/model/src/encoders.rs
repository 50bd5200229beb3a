//! The fitted encoders of all features of a schema, which turn raw columns into numbers.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::column::Batch;
use crate::encoder::{Emitter, Encoder, Scratch};
use crate::error::ModelError;
use crate::expression::{Mode, evaluate};
use crate::feature::{Feature, Input, Kind};
use crate::schema::Schema;
use crate::sink::{Matrix, Sink};

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
    /// The index of each feature's first column, then the number of all columns.
    first: Vec<usize>,
}

/// The encoder of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureEncoder {
    /// Turns values into numbers.
    pub encoder: Encoder,
    /// What fitting left out, and why; one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
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
    /// Checks that `features` has one encoder per feature, in the schema's order, that each encoder
    /// fits the kind of its feature, and that its numbers and names are valid.
    ///
    /// # Errors
    /// [`ModelError::Length`] if the number of encoders is wrong; [`ModelError::Schema`] names a
    /// feature whose encoder does not fit.
    pub fn new(schema: Schema, features: Vec<FeatureEncoder>) -> Result<Self, ModelError> {
        same_length("encoders", schema.features().len(), features.len())?;
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

    /// The schema for which the encoders were fitted.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Number of encoded columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.first[self.features.len()]
    }

    /// An upper bound on the memory, in bytes, that each row of a batch takes while it is encoded,
    /// without the bytes of its texts.
    #[must_use]
    pub fn bytes_per_row(&self) -> usize {
        /// Bytes of a text or a list, whose content is elsewhere.
        const POINTER: usize = size_of::<Cow<'_, str>>();
        let input = |input: &Input| match input.kind {
            Kind::Text | Kind::Categorical | Kind::List => POINTER,
            Kind::Numeric | Kind::Boolean => size_of::<f64>(),
            Kind::Vector { dim } => dim * size_of::<f32>(),
        };
        // The buffers contain one feature at a time, so the widest one counts.
        let encoders = self.features.iter().map(|feature| &feature.encoder);
        let widest = encoders.map(|encoder| encoder.raw_width().unwrap_or(0).max(encoder.width()));
        let inputs: usize = self.schema.inputs().iter().map(input).sum();
        inputs + size_of::<f64>() * (widest.max().unwrap_or(0) + 2)
    }

    /// A name per encoded column: `feature`, or `feature[part]` for the parts of a feature.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        let names = |(feature, encoder): (&Feature, &Encoder)| {
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
        self.features_with_encoders().flat_map(names).collect()
    }

    /// The feature of each encoded column, as an index into the schema's features.
    #[must_use]
    pub fn column_features(&self) -> Vec<usize> {
        let widths = self.first.windows(2).map(|pair| pair[1] - pair[0]);
        widths
            .enumerate()
            .flat_map(|(feature, width)| std::iter::repeat_n(feature, width))
            .collect()
    }

    /// What fitting left out, and why, such as a constant column; one line each.
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

    /// Encodes rows that the encoders were not fitted on. The values are used as logged: served
    /// values do not replace them.
    ///
    /// # Errors
    /// [`ModelError::OtherSchema`] if the batch was checked against other inputs.
    pub fn encode(&self, batch: &Batch<'_>) -> Result<Encoded, ModelError> {
        let mut matrix = Matrix::new(batch.rows(), self.width());
        self.encode_into(batch, Mode::Logged, &mut matrix, &|| false)?;
        Ok(self.encoded(matrix))
    }

    /// Encodes training rows with the values as logged. `out_of_fold` has one entry per feature.
    /// The numbers of an entry replace those that the encoder of the feature would compute.
    ///
    /// The numbers are not standardised yet, and are in column-major order with one number per row.
    /// [`Target`](crate::encoder::Target) and [`MeanTarget`](crate::encoder::MeanTarget) have one
    /// column. [`Text`](crate::encoder::Text) has one column that is NaN for a missing text and 0
    /// for any other, and after it the columns of the encoder.
    ///
    /// # Errors
    /// [`ModelError::Length`] if `out_of_fold` does not have one entry per feature, or if an entry
    /// has the wrong number of values; [`ModelError::OtherSchema`] if the batch was checked against
    /// other inputs.
    pub fn encode_out_of_fold(
        &self,
        batch: &Batch<'_>,
        out_of_fold: Vec<Option<Vec<f64>>>,
    ) -> Result<Encoded, ModelError> {
        batch.fits(&self.schema)?;
        same_length(
            "out-of-fold features",
            self.features.len(),
            out_of_fold.len(),
        )?;
        let mut matrix = Matrix::new(batch.rows(), self.width());
        if batch.rows() == 0 {
            return Ok(self.encoded(matrix));
        }
        let mut scratch = Scratch::new(&|| false);
        for ((feature, numbers), first) in self
            .features_with_encoders()
            .zip(out_of_fold)
            .zip(&self.first)
        {
            let (feature, encoder) = feature;
            let mut emitter = Emitter {
                sink: &mut matrix,
                first: *first,
                broadcast: false,
            };
            match (numbers, encoder.raw_width()) {
                (Some(raw), Some(width)) => {
                    same_length("out-of-fold numbers", batch.rows() * width, raw.len())?;
                    encoder.apply_raw(&raw, &mut emitter, &mut scratch);
                }
                _ => {
                    let values = evaluate(&self.schema, &feature.of, batch, Mode::Logged);
                    emitter.broadcast = values.len() == 1;
                    encoder.apply(&values, &mut emitter, &mut scratch);
                }
            }
        }
        Ok(self.encoded(matrix))
    }

    fn encoded(&self, matrix: Matrix) -> Encoded {
        Encoded {
            rows: matrix.rows,
            columns: matrix.columns,
            names: self.column_names(),
        }
    }

    fn features_with_encoders(&self) -> impl Iterator<Item = (&Feature, &Encoder)> {
        let encoders = self.features.iter().map(|feature| &feature.encoder);
        self.schema.features().iter().zip(encoders)
    }

    /// Sends the encoded columns to a sink. It fails with [`ModelError::Stopped`] once `stop`
    /// returns true.
    pub(crate) fn encode_into<S: Sink>(
        &self,
        batch: &Batch<'_>,
        mode: Mode,
        sink: &mut S,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), ModelError> {
        batch.fits(&self.schema)?;
        if batch.rows() == 0 {
            return Ok(());
        }
        let mut scratch = Scratch::new(stop);
        for ((feature, encoder), first) in self.features_with_encoders().zip(&self.first) {
            let values = evaluate(&self.schema, &feature.of, batch, mode);
            let mut emitter = Emitter {
                sink,
                first: *first,
                broadcast: values.len() == 1,
            };
            encoder.apply(&values, &mut emitter, &mut scratch);
            if stop() {
                return Err(ModelError::Stopped);
            }
        }
        Ok(())
    }
}

fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), ModelError> {
    if expected == found {
        Ok(())
    } else {
        Err(ModelError::Length {
            what,
            expected,
            found,
        })
    }
}
