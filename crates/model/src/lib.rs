//! One objective: from raw features to a calibrated probability.
//!
//! This crate holds everything that must be the same in training and in serving: the schema of the raw
//! inputs, the features derived from them, the fitted encoders, the logistic scorer, the calibrators and the
//! artefact on disk. It knows no asynchronous runtime, no RPC, no data frame and no solver.
//!
//! The path of a row is: [`Column`]s → [`Batch`] (checked) → [`Encoders`] (numbers) → [`Model`] (logit) →
//! [`Calibrator`] (probability).

mod artefact;
mod calibration;
mod column;
mod encoder;
mod encoders;
mod error;
mod expression;
mod feature;
mod fit;
mod folder;
mod math;
mod model;
mod report;
mod scale;
mod schema;
mod sink;
mod table;
mod text;

pub use artefact::{Artefact, FORMAT_VERSION, latest, versions};
pub use calibration::Calibrator;
pub use column::{Batch, Column, Missing};
pub use encoders::{Encoded, Encoders};
pub use error::ModelError;
pub use feature::{Expression, Feature, Input, Kind, Side};
pub use fit::{fit_encoders, fit_encoders_to_shares};
pub use math::{logit, sigmoid, softplus};
pub use model::{Contributions, Model, ModelParts, PriorCorrection, Scores};
pub use report::{
    CalibrationBin, Convergence, CurvePoint, DataReport, PartReport, Regularisation, Report,
};
pub use schema::{DEFAULT_MAX_TEXT_BYTES, Schema};
