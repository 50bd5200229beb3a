//! One objective: from raw features to a calibrated probability.
//!
//! This crate contains everything that must be the same in training and in serving: the schema of
//! the raw inputs, the features derived from them, the fitted encoders, the logistic scorer, the
//! calibrators and the artefact on disk. It fits nothing, and it depends on no asynchronous
//! runtime, RPC library, data frame library or solver.
//!
//! A row goes through [`Column`]s → [`Batch`] (checked) → [`Encoders`] (numbers) → [`Model`]
//! (logit) → [`Calibrator`] (probability).
//!
//! ```
//! use counterweight_model::encoder::{Encoder, Numeric, Standard};
//! use counterweight_model::{
//!     Artefact, Batch, Calibrator, Column, DEFAULT_MAX_TEXT_BYTES, Encoders, Feature,
//!     FeatureEncoder, Input, Kind, Model, ModelParts, Report, Schema, sigmoid,
//! };
//!
//! // A model with one numeric input, and an encoder such as training fits.
//! let schema = Schema::new(
//!     vec![Input::candidate("age_hours", Kind::Numeric)],
//!     vec![Feature::of_input("age_hours")],
//!     DEFAULT_MAX_TEXT_BYTES,
//! )?;
//! let encoder = Encoder::Numeric(Numeric {
//!     standard: Some(Standard { mean: 6.0, sd: 3.0 }),
//!     missing: false,
//! });
//! let encoders = Encoders::new(schema, vec![FeatureEncoder { encoder, notes: vec![] }])?;
//! let model = Model::new(ModelParts {
//!     objective: "engagement".into(),
//!     encoders,
//!     coefficients: vec![-0.5],
//!     intercept: 0.25,
//!     prior_correction: None,
//!     calibrator: Calibrator::None,
//! })?;
//!
//! // Training saves the model. A server loads the latest version and checks every hash.
//! let folder = tempfile::tempdir()?;
//! let saved = Artefact::save(model, Report::default(), "# Model card\n", folder.path())?;
//! let loaded = Artefact::load(folder.path())?;
//! assert_eq!(loaded, saved);
//!
//! // Two candidates. NaN is a missing value, which is encoded as the mean.
//! let columns = vec![Some(Column::Numeric(vec![3.0, f64::NAN]))];
//! let batch = Batch::new(loaded.model.schema(), 2, columns)?;
//! assert_eq!(loaded.model.encoders().encode(&batch)?.columns, [[-1.0, 0.0]]);
//! let scores = loaded.model.score(&batch)?;
//! assert_eq!(scores.logits, [0.75, 0.25]);
//! assert_eq!(scores.probabilities, [sigmoid(0.75), sigmoid(0.25)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod artefact;
mod calibration;
mod column;
pub mod encoder;
mod encoders;
mod error;
mod expression;
mod feature;
mod math;
mod model;
mod report;
mod schema;
mod sink;

pub use artefact::{Artefact, FORMAT_VERSION, latest, versions};
pub use calibration::Calibrator;
pub use column::{Batch, Column, Missing};
pub use encoders::{Encoded, Encoders, FeatureEncoder};
pub use error::ModelError;
pub use expression::{Categories, Values, feature_values};
pub use feature::{Expression, Feature, Input, Kind, Side};
pub use math::{finite_logit, logit, sigmoid, softplus};
pub use model::{Contributions, Model, ModelParts, PriorCorrection, Scores};
pub use report::{
    CalibrationBin, Convergence, CurvePoint, DataReport, PartReport, Regularisation, Report,
};
pub use schema::{DEFAULT_MAX_TEXT_BYTES, Schema};
pub use sink::Term;
