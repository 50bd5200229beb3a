//! The offline benchmark: from a log to exact fronts, a recommendation, and what another weight would have brought.
//!
//! [`Log`] reads a log request by request, with the probabilities that it logged or those of models at hand; users are
//! in the tune part or in the test part, never in both.

mod baseline;
mod compare;
mod curve_file;
mod deal;
mod decide;
mod error;
mod export;
mod front;
mod gathering;
mod log;
mod number;
mod ope;
mod question;
mod read;
mod recommend;
mod report_inputs;
mod request;
mod swept;

pub use baseline::{Baselines, Mean, Order};
pub use compare::{
    Baseline, CompareOptions, ComparedPoint, Comparison, DEFAULT_WEIGHTS, Level, OptionFront,
    Retraining, SetWeights, Shared, Verdict, compare,
};
pub use counterweight_ranking::solve::Goal;
pub use curve_file::write_curves;
pub use error::OfflineError;
pub use export::{DrawnLambda, LogWriter, RankedObjective, RankedRequest, WrittenLog};
pub use front::{Banded, BaselineRow, Basis, Draws, FrontPoint, FrontReport, GridPoint};
pub use log::{Log, LogOptions, Objective, Source};
pub use number::normal_quantile;
pub use ope::{
    EstimateRow, OffPolicy, OpeOptions, OpeReport, Policy, PolicyRow, estimate, write_ope_curves,
};
pub use question::{Asked, Curve, Question};
pub use read::{MOST_CANDIDATES, Summary};
pub use recommend::{Interval, Outcome, Recommendation, Recommended};
pub use report_inputs::{Bin, Calibrated, Calibrating, Candidates, Example, ExampleRow, Gathered};
pub use request::{Exploration, Logged, Part, Request};
pub use swept::{Also, Swept};
