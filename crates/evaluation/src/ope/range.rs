//! The range of λ that a log explored, and points on it.

use counterweight_impressions::{Exploration, Log, Request};

use crate::error::EvaluationError;

/// The refusal of a log that tried nothing.
pub(super) fn no_exploration(log: &Log) -> EvaluationError {
    log.wrong(
        "nothing in it was randomised, or no outcome of what was shown is known: it says nothing of what another ranking would have brought; draw λ per request (columns lambda_low, lambda_high, lambda_density), or name the column of its propensities in a dataset file",
    )
    .into()
}

/// The range of the first request that drew λ.
pub(super) fn first_range(batch: &[Request]) -> Option<(f64, f64)> {
    batch
        .iter()
        .find_map(|request| match &request.logged.as_ref()?.exploration {
            Exploration::Lambda { density, .. } => Some(density.range()),
            Exploration::Propensities(_) => None,
        })
}

/// The points that were given, or some over a range, its ends included.
pub(super) fn grid(given: &[f64], range: Option<(f64, f64)>, points: usize) -> Vec<f64> {
    match range {
        Some((low, high)) if given.is_empty() => (0..points)
            .map(|at| low + (high - low) * at as f64 / (points - 1) as f64)
            .collect(),
        _ => given.to_vec(),
    }
}
