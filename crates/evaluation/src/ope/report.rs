//! What is estimated and how it is reported: a value with its interval, or the refusal when the
//! importance weights do not support it.

use counterweight_statistics::normal_quantile;
use serde::Serialize;

use super::{diagnostics::Diagnostics, sample::Estimate};

/// Which policy is judged.
#[derive(Debug, Clone, PartialEq)]
pub enum Policy {
    /// Ranking with λ, at these points; empty takes some over the range that was explored.
    Lambda(Vec<f64>),
    /// Every candidate is equally likely on every place: of a request's own candidates, where it
    /// has several, else of all that the log shows.
    Uniform,
}

/// How estimates are made and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct OpeOptions {
    /// The policy that is judged.
    pub policy: Policy,
    /// Level of the intervals, in (0, 1).
    pub level: f64,
    /// Whether estimates are shown that their weights refuse.
    pub anyway: bool,
}

/// One estimator's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EstimateRow {
    /// The estimator: SIPS, SNSIPS, RIPS, SNRIPS, IIPS, SNIIPS or DR; of single actions IPW or
    /// SNIPW.
    pub estimator: &'static str,
    /// The estimate: a share of the page, as realised curves have it; none where it is refused,
    /// unless refused ones are shown.
    pub value: Option<f64>,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Effective sample size of the weights.
    pub effective: f64,
    /// The largest weight's share of all.
    pub largest_share: f64,
    /// Mean of the weights, 1 where all is well.
    pub mean_weight: f64,
    /// Why it is refused; empty where it is not.
    pub refusals: Vec<String>,
}

/// All estimates of one objective's outcome under one policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyRow {
    /// λ; none for the uniform policy.
    pub lambda: Option<f64>,
    /// The objective.
    pub objective: String,
    /// One per estimator.
    pub estimates: Vec<EstimateRow>,
}

/// What was estimated.
#[derive(Debug, Clone, Serialize)]
pub struct OpeReport {
    /// Requests that the estimates rest on.
    pub requests: usize,
    /// Requests left out since an outcome of what was shown is not known.
    pub unlabelled: u64,
    /// Requests left out since their λ and probabilities cannot have given what was shown.
    pub contradicted: u64,
    /// The range of λ that every request explored.
    pub range: Option<(f64, f64)>,
    /// Level of the intervals.
    pub level: f64,
    /// The estimates.
    pub rows: Vec<PolicyRow>,
}

/// One estimator's answer; its value is left out where its weights refuse it, unless refused ones
/// are shown.
pub(super) fn row(
    estimator: &'static str,
    estimate: Estimate,
    diagnostics: &Diagnostics,
    options: &OpeOptions,
) -> EstimateRow {
    let refusals: Vec<String> = diagnostics
        .refusals()
        .iter()
        .map(ToString::to_string)
        .collect();
    let half = normal_quantile(options.level) * estimate.standard_error;
    let shown = refusals.is_empty() || options.anyway;
    EstimateRow {
        estimator,
        value: shown.then_some(estimate.value),
        standard_error: shown.then_some(estimate.standard_error),
        interval: shown.then_some((estimate.value - half, estimate.value + half)),
        effective: diagnostics.effective,
        largest_share: diagnostics.largest_share,
        mean_weight: diagnostics.mean_weight,
        refusals,
    }
}
