//! Two models and a weighted sum against one model of the combined loss, at the same weights and by
//! the same rules.
//!
//! Both options get the same weights, features, splits, folds, penalties and calibration rows.
//! Weights are chosen on the tune part: of each option those on the hull of its points. The front
//! that is scored is the hull through the test part's values of these; the exact sweep of all
//! weights, which only two models can offer, is drawn and not scored: many points would win by
//! their number alone.

mod hull;
mod judge;
mod options;
mod pages;
mod plan;
mod result;
mod truth;

pub use options::{CompareOptions, DEFAULT_WEIGHTS};
pub use plan::{ComparePlan, TrainedModels};
pub use result::{
    Baseline, ComparedPoint, Comparison, Level, OptionFront, Retraining, SetWeights, Shared,
    Verdict,
};
