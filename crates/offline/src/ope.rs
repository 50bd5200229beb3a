//! What another policy would have brought, from a log that explored: estimates with their diagnostics, refused where the weights
//! cannot carry them.
//!
//! The logged propensities are exact: of a λ that was drawn, from the breakpoints of the probabilities that were ranked by; else from the log.
//! The policy that is judged may rank by other models than the log was served by.

mod curves;
mod drawn;
mod points;
mod rank;
mod terms;
mod uniform;

use counterweight_ranking::ope::Diagnostics;
use serde::Serialize;

pub use curves::write_ope_curves;
pub use drawn::OffPolicy;
pub(crate) use drawn::poisson;
pub(crate) use rank::Explorer;

use crate::{
    Log, OfflineError, Request, Summary,
    number::normal_quantile,
    question::{Asked, Question},
};

/// Points of λ where none are given: eleven over the range that was explored.
const POINTS: usize = 11;
/// More requests than this share whose slate the log's own probabilities and λ cannot have given: the log contradicts itself.
const MOST_CONTRADICTED: f64 = 0.01;

/// Which policy is judged.
#[derive(Debug, Clone, PartialEq)]
pub enum Policy {
    /// Ranking with λ, at these points; empty takes some over the range that was explored.
    Lambda(Vec<f64>),
    /// Every candidate is equally likely on every place: of a request's own candidates, where it has several, else of all that the log shows.
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
    /// The estimator: SIPS, SNSIPS, RIPS, SNRIPS, IIPS, SNIIPS or DR; of single actions IPW or SNIPW.
    pub estimator: &'static str,
    /// The estimate: a share of the page, as realised curves have it; none where it is refused, unless asked for anyway.
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

/// Reads a log and estimates.
///
/// # Errors
/// As [`Log::read`] and [`Asked::of`]; [`OfflineError::Log`] for a log that did not explore or contradicts itself, and
/// [`OfflineError::Option`] for a λ or a level that is none.
pub fn estimate(
    log: &mut Log,
    question: &Question,
    options: &OpeOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(OpeReport, Summary), OfflineError> {
    let level = options.level;
    if !(level > 0.0 && level < 1.0) {
        return Err(OfflineError::Option {
            name: "the level",
            value: level.to_string(),
            expected: "it is above 0 and below 1, such as 0.95",
        });
    }
    match &options.policy {
        Policy::Uniform => uniform::uniform(log, options, progress),
        Policy::Lambda(at) => {
            if let Some(lambda) = at.iter().find(|at| !(at.is_finite() && **at >= 0.0)) {
                return Err(OfflineError::Option {
                    name: "a λ",
                    value: lambda.to_string(),
                    expected: "it is finite and at least 0",
                });
            }
            let asked = Asked::of(log, question)?;
            let mut points: Option<points::Points> = None;
            let name = log.name().to_owned();
            let summary = log.read(progress, &mut |batch: &[Request]| {
                let own = match &mut points {
                    Some(own) => own,
                    None => match first_range(batch) {
                        None if at.is_empty() => return Ok(()),
                        range => {
                            points.insert(points::Points::new(&asked, grid(at, range, POINTS)))
                        }
                    },
                };
                own.add(&asked, &name, batch)
            })?;
            let Some(points) = points.filter(|points| !points.is_empty()) else {
                return Err(no_exploration(log));
            };
            points.check(log)?;
            Ok((points.report(&asked, options), summary))
        }
    }
}

fn no_exploration(log: &Log) -> OfflineError {
    log.wrong(
        "nothing in it was randomised, or no outcome of what was shown is known: it says nothing of what another ranking would have brought; draw λ per request (columns lambda_low, lambda_high, lambda_density), or name the column of its propensities",
    )
}

/// The range of the first request that drew λ.
pub(crate) fn first_range(batch: &[Request]) -> Option<(f64, f64)> {
    batch
        .iter()
        .find_map(|request| match &request.logged.as_ref()?.exploration {
            crate::Exploration::Lambda { density, .. } => Some(density.range()),
            crate::Exploration::Propensities(_) => None,
        })
}

/// The points that were given, or some over a range, its ends included.
pub(crate) fn grid(given: &[f64], range: Option<(f64, f64)>, points: usize) -> Vec<f64> {
    match range {
        Some((low, high)) if given.is_empty() => (0..points)
            .map(|at| low + (high - low) * at as f64 / (points - 1) as f64)
            .collect(),
        _ => given.to_vec(),
    }
}

pub(crate) fn row(
    estimator: &'static str,
    estimate: counterweight_ranking::ope::Estimate,
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
