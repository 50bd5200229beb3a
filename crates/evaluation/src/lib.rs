//! The offline benchmark: from a log to exact fronts, a recommendation, and what another weight
//! would have brought.
//!
//! A [`Log`] hands on its requests; here they are judged. Nothing here trains, serves or stores
//! anything.

mod baseline;
mod compare;
mod curve_file;
mod decide;
mod draws;
mod error;
pub mod front;
mod interval;
pub mod metrics;
pub mod ope;
mod question;
mod recommend;
mod report_inputs;
mod swept;

pub use baseline::{Baselines, Mean, Order};
pub use compare::{
    Baseline, CompareOptions, ComparePlan, ComparedPoint, Comparison, DEFAULT_WEIGHTS, Level,
    OptionFront, Retraining, SetWeights, Shared, TrainedModels, Verdict,
};
pub use counterweight_impressions::{
    Exploration, Log, LogError, LogOptions, Logged, Objective, Part, Parts, Request, Source,
    Summary, UnshownLabels,
};
pub use counterweight_ranking::solve::Goal;
pub use counterweight_statistics::normal_quantile;
pub use curve_file::{check_curve_file, write_curves};
pub use draws::Draws;
pub use error::EvaluationError;
pub use front::{Banded, BaselineRow, Basis, FrontPoint, FrontReport, GridPoint};
pub use interval::Interval;
pub use ope::{
    EstimateRow, OffPolicy, OpeOptions, OpeReport, Policy, PolicyRow, estimate, write_ope_curves,
};
pub use question::{CheckedQuestion, Curve, Question};
pub use recommend::{Outcome, Recommendation, Recommended, check_goal};
pub use report_inputs::{
    Calibration, CalibrationSums, Example, ExampleRequests, ExampleRow,
    ReportInputs,
};
pub use swept::{Also, Swept};
