//! The model of one objective: encoders, a linear scorer, the prior correction and a calibrator.

use serde::{Deserialize, Serialize};

use crate::calibration::Calibrator;
use crate::column::Batch;
use crate::encoders::Encoders;
use crate::error::ModelError;
use crate::expression::Mode;
use crate::schema::Schema;
use crate::sink::{ByFeature, Logits, Term, Terms};

/// How the training rows were sampled by class, so that probabilities can be corrected to the base
/// rate of the log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorCorrection {
    /// The share of the log's negatives that was kept, in `(0, 1]`.
    pub negative_rate: f64,
    /// The share of the log's positives that was kept, in `(0, 1]`.
    pub positive_rate: f64,
}

impl PriorCorrection {
    /// The number that is added to a logit: `ln r` with `r = negative_rate / positive_rate`. It
    /// turns the probability `p` into `p·r / (1 − p + r·p)`.
    #[must_use]
    pub fn shift(&self) -> f64 {
        (self.negative_rate / self.positive_rate).ln()
    }
}

/// The parts of a [`Model`], unchecked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelParts {
    /// Name of the objective, e.g. `engagement`.
    pub objective: String,
    /// Fitted encoders, with their schema.
    pub encoders: Encoders,
    /// One per encoded column, in the units in which the encoders return the column.
    pub coefficients: Vec<f64>,
    /// Logit of a row whose encoded columns are all 0.
    pub intercept: f64,
    /// Set when the training rows were sampled by class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior_correction: Option<PriorCorrection>,
    /// Maps the logit to the probability.
    pub calibrator: Calibrator,
}

/// A checked model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ModelParts", into = "ModelParts")]
pub struct Model {
    parts: ModelParts,
    /// Feature of each encoded column.
    feature_of: Vec<usize>,
}

/// The scores of each row of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// After the prior correction, before calibration.
    pub logits: Vec<f64>,
    /// After calibration, in `[0, 1]`.
    pub probabilities: Vec<f64>,
}

/// How much each feature adds to each row's logit.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// Number of features, which are in the order of the schema.
    pub features: usize,
    /// `[rows, features]`, row-major, in units of the logit. The sum of a row plus
    /// [`Model::offset`] is the row's logit.
    pub values: Vec<f64>,
}

impl TryFrom<ModelParts> for Model {
    type Error = ModelError;

    fn try_from(parts: ModelParts) -> Result<Self, ModelError> {
        Self::new(parts)
    }
}

impl From<Model> for ModelParts {
    fn from(model: Model) -> Self {
        model.parts
    }
}

impl Model {
    /// Checks that the parts fit together and that every number is finite.
    ///
    /// # Errors
    /// [`ModelError::Model`] or [`ModelError::Calibration`] names the part that does not fit.
    pub fn new(parts: ModelParts) -> Result<Self, ModelError> {
        let problem = |problem: String| ModelError::Model {
            objective: parts.objective.clone(),
            problem,
        };
        let (width, found) = (parts.encoders.width(), parts.coefficients.len());
        if parts.objective.is_empty() {
            return Err(problem("has an empty objective name".into()));
        }
        if found != width {
            return Err(problem(format!(
                "has {found} coefficients for {width} encoded columns; it needs one per column"
            )));
        }
        if !parts.intercept.is_finite()
            || parts
                .coefficients
                .iter()
                .any(|coefficient| !coefficient.is_finite())
        {
            return Err(problem(
                "has a coefficient that is not finite; the solver may have diverged: train again \
                 with a larger penalty"
                    .into(),
            ));
        }
        if let Some(PriorCorrection {
            negative_rate,
            positive_rate,
        }) = parts.prior_correction
        {
            for (name, rate) in [
                ("negative_rate", negative_rate),
                ("positive_rate", positive_rate),
            ] {
                if !(rate > 0.0 && rate <= 1.0) {
                    return Err(problem(format!(
                        "has a prior correction with {name} {rate}; it must be in (0, 1]"
                    )));
                }
            }
        }
        parts.calibrator.check()?;
        let feature_of = parts.encoders.column_features();
        Ok(Self { parts, feature_of })
    }

    /// Name of the objective.
    #[must_use]
    pub fn objective(&self) -> &str {
        &self.parts.objective
    }

    /// The inputs and features.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        self.parts.encoders.schema()
    }

    /// The fitted encoders.
    #[must_use]
    pub fn encoders(&self) -> &Encoders {
        &self.parts.encoders
    }

    /// The coefficients, one per encoded column.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.parts.coefficients
    }

    /// The intercept as fitted, without the prior correction.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.parts.intercept
    }

    /// How the training rows were sampled by class, if they were.
    #[must_use]
    pub fn prior_correction(&self) -> Option<PriorCorrection> {
        self.parts.prior_correction
    }

    /// The calibrator, which maps a logit to a probability.
    #[must_use]
    pub fn calibrator(&self) -> &Calibrator {
        &self.parts.calibrator
    }

    /// The same model with another calibrator.
    ///
    /// # Errors
    /// [`ModelError::Calibration`] if its parameters are out of range.
    pub fn with_calibrator(self, calibrator: Calibrator) -> Result<Self, ModelError> {
        Self::new(ModelParts {
            calibrator,
            ..self.parts
        })
    }

    /// Intercept plus prior correction: the logit of a row whose encoded columns are all 0.
    #[must_use]
    pub fn offset(&self) -> f64 {
        self.parts.intercept
            + self
                .parts
                .prior_correction
                .map_or(0.0, |prior| prior.shift())
    }

    /// Scores as in serving: an input with a served value has that value, even if the batch
    /// contains another one.
    ///
    /// # Errors
    /// [`ModelError::OtherSchema`] if the batch was checked against other inputs.
    pub fn score(&self, batch: &Batch<'_>) -> Result<Scores, ModelError> {
        self.scores(batch, Mode::Served, &|| false)
    }

    /// As [`score`](Self::score), but `stop` can end the computation early by returning true. It is
    /// called after every feature, and within a text feature before every text.
    ///
    /// # Errors
    /// [`ModelError::Stopped`] if `stop` returned true, and the errors of [`score`](Self::score).
    pub fn score_until(
        &self,
        batch: &Batch<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Scores, ModelError> {
        self.scores(batch, Mode::Served, stop)
    }

    /// Scores with every value as logged, such as the position at which the candidate was shown.
    /// For fitting calibrators, and for metrics against the labels of the log.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn score_as_logged(&self, batch: &Batch<'_>) -> Result<Scores, ModelError> {
        self.scores(batch, Mode::Logged, &|| false)
    }

    /// How much each feature adds to the logit that [`score`](Self::score) returns.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn contributions(&self, batch: &Batch<'_>) -> Result<Contributions, ModelError> {
        self.contributions_until(batch, &|| false)
    }

    /// As [`contributions`](Self::contributions), but `stop` can end the computation early.
    ///
    /// # Errors
    /// As [`score_until`](Self::score_until).
    pub fn contributions_until(
        &self,
        batch: &Batch<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Contributions, ModelError> {
        let features = self.schema().features().len();
        let values = vec![0.0; batch.rows() * features];
        let mut sink = ByFeature {
            coefficients: self.coefficients(),
            feature_of: &self.feature_of,
            features,
            values,
        };
        self.encoders()
            .encode_into(batch, Mode::Served, &mut sink, stop)?;
        Ok(Contributions {
            features,
            values: sink.values,
        })
    }

    /// The terms of the logit that [`score`](Self::score) returns, for each row, in the order in
    /// which they are added. [`offset`](Self::offset), plus the first term, plus the second, and so
    /// on, is the logit to the bit. The columns of a feature follow each other.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn terms(&self, batch: &Batch<'_>) -> Result<Vec<Vec<Term>>, ModelError> {
        let mut sink = Terms {
            coefficients: self.coefficients(),
            rows: vec![Vec::new(); batch.rows()],
        };
        self.encoders()
            .encode_into(batch, Mode::Served, &mut sink, &|| false)?;
        Ok(sink.rows)
    }

    fn scores(
        &self,
        batch: &Batch<'_>,
        mode: Mode,
        stop: &dyn Fn() -> bool,
    ) -> Result<Scores, ModelError> {
        let mut sink = Logits {
            coefficients: self.coefficients(),
            logits: vec![self.offset(); batch.rows()],
        };
        self.encoders().encode_into(batch, mode, &mut sink, stop)?;
        let probabilities = sink
            .logits
            .iter()
            .map(|logit| self.calibrator().apply(*logit))
            .collect();
        Ok(Scores {
            logits: sink.logits,
            probabilities,
        })
    }
}
