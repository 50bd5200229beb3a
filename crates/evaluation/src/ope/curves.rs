//! Off-policy curves over the whole range of λ that a log explored, from one sweep, as a table in a
//! file.

use std::path::Path;

use counterweight_impressions::{Exploration, Log, Parts, Request};
use polars::prelude::Column;

use super::{
    explored::{Explored, Served, Weighting},
    propensity::Draw,
    range::no_exploration,
    rank::Explorer,
    sums::OpeCurves,
    terms::labelled,
};
use crate::{
    curve_file::write_table,
    error::{EvaluationError, wrong},
    question::{CheckedQuestion, Question},
};

/// Writes a CSV or Parquet file by its ending: `lambda_low` and `lambda_high` of each interval in
/// which no estimate changes, and for each objective `iips`, its standard error over requests,
/// `sniips` and the effective sample, as shares of the page. The target is the policy that was
/// logged with λ in place of the drawn one. Refusals are left to whoever reads: [`super::estimate`]
/// has them at points. Returns the number of intervals.
///
/// # Errors
/// As [`super::estimate`]; [`EvaluationError::Log`] where λ was not drawn.
pub fn write_ope_curves(
    log: &mut Log,
    question: &Question,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<usize, EvaluationError> {
    let question = CheckedQuestion::new(log, question)?;
    let log_name = log.name().to_owned();
    let mut explored: Vec<Explored> = question
        .objectives
        .iter()
        .map(|_| Explored::new(Weighting::Position))
        .collect();
    let mut explorer = Explorer::default();
    log.read(Parts::All, progress, &mut |batch: &[Request]| {
        for request in batch {
            if let Some(Ok(shown)) = explorer.shown(&log_name, request)?
                && labelled(&question, request, &shown)
            {
                push(&question, &log_name, &mut explored, request)?;
            }
        }
        Ok::<(), EvaluationError>(())
    })?;
    if explored.iter().all(Explored::is_empty) {
        return Err(no_exploration(log));
    }
    let known = question.objectives.iter().zip(&explored);
    let curves: Result<Vec<(&str, OpeCurves)>, EvaluationError> = known
        .filter(|(_, own)| !own.is_empty())
        .map(|(name, own)| {
            Ok((
                name.as_str(),
                own.curves().map_err(|source| wrong(&log_name, source))?,
            ))
        })
        .collect();
    let curves = curves?;
    write_table(path, columns(&curves))?;
    Ok(curves[0].1.breakpoints.len())
}

fn push(
    question: &CheckedQuestion,
    log: &str,
    explored: &mut [Explored],
    request: &Request,
) -> Result<(), EvaluationError> {
    let Some((logged, (fixed, swept, density))) =
        request
            .logged
            .as_ref()
            .and_then(|logged| match &logged.exploration {
                Exploration::Lambda {
                    density,
                    fixed,
                    swept,
                } => Some((logged, (fixed, swept, *density))),
                Exploration::Propensities(_) => None,
            })
    else {
        return Ok(());
    };
    let places = logged.shown.len();
    let all: f64 = (0..places)
        .map(|place| question.discount.weight(place))
        .sum();
    let slate: Vec<usize> = logged
        .shown
        .iter()
        .map(|&(candidate, _)| candidate)
        .collect();
    for (objective, own) in explored.iter_mut().enumerate() {
        if !question.outcomes[objective] {
            continue;
        }
        let m = question.places[objective];
        let rewards: Vec<f64> = slate
            .iter()
            .enumerate()
            .map(|(place, &candidate)| {
                request.realised[m][candidate] * question.discount.weight(place) / all
            })
            .collect();
        let served = Served {
            draw: Draw {
                fixed,
                swept,
                density,
            },
            slate: &slate,
            rewards: &rewards,
            expected: None,
        };
        own.push(&served).map_err(|source| wrong(log, source))?;
    }
    Ok(())
}

/// The intervals are the same for every objective: they end where a slate begins or ceases to
/// match.
fn columns(curves: &[(&str, OpeCurves)]) -> Vec<Column> {
    let low = &curves[0].1.breakpoints;
    let mut high: Vec<f64> = low.iter().skip(1).copied().collect();
    high.push(curves[0].1.high);
    let mut columns = vec![
        Column::new("lambda_low".into(), low.clone()),
        Column::new("lambda_high".into(), high),
    ];
    for (objective, curves) in curves {
        for (what, values) in [
            ("iips", &curves.ips),
            ("iips_error", &curves.ips_error),
            ("sniips", &curves.snips),
            ("effective", &curves.effective),
        ] {
            let name = format!("{what}_{objective}");
            columns.push(Column::new(name.into(), values.clone()));
        }
    }
    columns
}
