//! Estimates of one policy from one reading of a log.

use counterweight_impressions::{Log, Parts, Request, Summary};

use super::{
    points::Points,
    range::{first_range, grid, no_exploration},
    report::{OpeOptions, OpeReport, Policy},
    uniform::uniform,
};
use crate::{
    error::EvaluationError,
    question::{CheckedQuestion, Question},
};

/// Points of λ where none are given: eleven over the range that was explored.
const POINTS: usize = 11;

/// Reads a log and estimates.
///
/// # Errors
/// As [`Log::read`] and [`CheckedQuestion::new`]; [`EvaluationError::Log`] for a log that did not
/// explore or contradicts itself, and [`EvaluationError::Option`] for a λ or a level that is none.
pub fn estimate(
    log: &mut Log,
    question: &Question,
    options: &OpeOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(OpeReport, Summary), EvaluationError> {
    let level = options.level;
    if !(level > 0.0 && level < 1.0) {
        return Err(EvaluationError::Option {
            name: "the level",
            value: level.to_string(),
            expected: "it is above 0 and below 1, such as 0.95",
        });
    }
    if !log.may_have_explored() {
        return Err(no_exploration(log));
    }
    match &options.policy {
        Policy::Uniform => uniform(log, options, progress),
        Policy::Lambda(at) => {
            if let Some(lambda) = at.iter().find(|at| !(at.is_finite() && **at >= 0.0)) {
                return Err(EvaluationError::Option {
                    name: "a λ",
                    value: lambda.to_string(),
                    expected: "it is finite and at least 0",
                });
            }
            let question = CheckedQuestion::new(log, question)?;
            let mut points: Option<Points> = None;
            let name = log.name().to_owned();
            let summary = log.read(Parts::All, progress, &mut |batch: &[Request]| {
                let own = match &mut points {
                    Some(own) => own,
                    None => match first_range(batch) {
                        None if at.is_empty() => return Ok(()),
                        range => points.insert(Points::new(&question, grid(at, range, POINTS))),
                    },
                };
                own.add(&question, &name, batch)
            })?;
            let Some(points) = points.filter(|points| !points.is_empty()) else {
                return Err(no_exploration(log));
            };
            points.check(log)?;
            Ok((points.report(&question, options), summary))
        }
    }
}
